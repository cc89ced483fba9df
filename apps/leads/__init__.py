"""Leads: people who left their contact details with a chatbot."""
