"""Texts of the demo's fictional shop: questions, answers, people and prompts."""

TALK: tuple[tuple[str, str], ...] = (
    (
        "Where is my order 48213?",
        "It left our warehouse yesterday and should reach you on Thursday.",
    ),
    (
        "Can I change the delivery address?",
        "Yes, until the parcel is handed over. Open the order and choose “Change address”.",
    ),
    (
        "How long do I have to return something?",
        "30 days from the day it arrives. Unused, with its label, is all we ask.",
    ),
    (
        "Do you ship to Switzerland?",
        "We do. It takes 3 to 5 days, and customs are included in the price.",
    ),
    (
        "The zip on my jacket broke after a week.",
        "I am sorry. That is covered: we repair it free of charge or send you a new one.",
    ),
    (
        "Which size should I take? I am 178 cm and 74 kg.",
        "Most people of your build wear an M in this cut.",
    ),
    ("Is the blue one back in stock?", "Not yet. We expect it in the second week of next month."),
    ("How do I wash the merino sweater?", "Cold, on the wool programme, and dry it lying flat."),
    ("Can I pay by invoice?", "Yes, in Germany, Austria and the Netherlands, within 14 days."),
    (
        "I never got a confirmation.",
        "It may be in your spam folder. I can send it once more if you tell me the order number.",
    ),
    (
        "Do you have a shop in Lyon?",
        "We have one in the 2nd district, open from Tuesday to Saturday.",
    ),
    (
        "What is the difference between Classic and Pro?",
        "Pro adds a waterproof lining and two inner pockets. The cut is the same.",
    ),
    (
        "My discount code does not work.",
        "It is valid from 50 € on and not for reduced items. Does your basket fit that?",
    ),
    (
        "Can I talk to a person?",
        "Of course. Leave your email address and somebody writes to you today.",
    ),
    (
        "Please cancel my order.",
        "It has not been packed yet, so I can. Shall I refund it the way you paid?",
    ),
    ("Are your dyes free of PFAS?", "Yes, all of them since 2024, and each lot is tested."),
    (
        "How big is the backpack?",
        "22 litres, and it fits the hand luggage of every airline that we know.",
    ),
    ("Do you offer gift wrapping?", "We do, for 3 €. Choose it in the last step before you pay."),
    (
        "What does express delivery cost?",
        "9.90 €. What you order before noon arrives the next working day.",
    ),
    ("Thanks, that helped!", "You are welcome. Have a good day."),
)

PEOPLE: tuple[tuple[str, str], ...] = (
    ("Amira Haddad", "amira.haddad@example.com"),
    ("Jonas Weber", "jonas.weber@example.org"),
    ("Chiara Russo", "chiara.russo@example.net"),
    ("Tomasz Nowak", "tomasz.nowak@example.com"),
    ("Léa Fontaine", "lea.fontaine@example.org"),
    ("Oliver Hughes", "oliver.hughes@example.net"),
    ("Ingrid Larsen", "ingrid.larsen@example.com"),
    ("Mateo García", "mateo.garcia@example.org"),
    ("Yuki Tanaka", "yuki.tanaka@example.net"),
    ("Nadia Petrova", "nadia.petrova@example.com"),
    ("Samuel Osei", "samuel.osei@example.org"),
    ("Hannah Meyer", "hannah.meyer@example.net"),
)

PHONES = {
    "Oliver Hughes": "+442079460112",
    "Samuel Osei": "+442079460958",
    "Nadia Petrova": "+12025550143",
}
"""Phone numbers reserved for fiction."""

PROMPTS: tuple[str, ...] = (
    "You answer questions about orders of our outdoor shop.",
    """You are the order desk of our outdoor shop.

Answer in at most three sentences.
Ask for the order number before you look anything up.
Never promise a delivery date: say what the carrier says.
If somebody wants a person, ask for an email address.""",
    """You help visitors of our outdoor shop to choose a size.

Ask for height, weight and how they like a jacket to sit, then name one size.
Say that returns are free for 30 days.""",
)
"""System prompts. The first two are consecutive versions of one chatbot."""

INTRODUCTION = (
    "I would rather talk to a person. I am {}, write to me at {}",
    "Of course. Somebody from our team writes to you today.",
)
"""The message in which a visitor leaves a name and an email address, and its answer."""
