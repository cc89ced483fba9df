"""Search knowledge bases by vectors and by words, in one statement.

terms       the words of a question, as search terms with weights
statement   the SQL: nearest vectors and best words, fused by rank
results     near-duplicates dropped, neighbours joined, cut to a budget
relevance   whether what was found probably answers the question
services    the whole of it
"""
