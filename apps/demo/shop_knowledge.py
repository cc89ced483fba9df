"""The pages of the demo's fictional shop, as sources of its knowledge base."""

from collections.abc import Mapping

NAME = "Shop pages"

PAGES: Mapping[str, Mapping[str, str]] = {
    "Delivery": {
        "Delivery times and costs": (
            "Standard delivery takes 2 to 4 working days and costs 4.90 €. It is free from 60 €. "
            "Express delivery costs 9.90 €: what you order before noon on a working day arrives "
            "the next one. Every parcel has a tracking number, which is in the email that we send "
            "when it leaves our warehouse."
        ),
        "Switzerland and other countries": (
            "We deliver to all countries of the European Union, to Norway and to Switzerland. "
            "Parcels to Switzerland and Norway take 3 to 5 working days. Customs and taxes are "
            "included in the price that you see before you pay, so nothing is due at the door. "
            "Express delivery is available within Germany, Austria and the Netherlands only."
        ),
        "Changing the delivery address": (
            "You can change the address until the parcel is handed over to the carrier. Open the "
            "order in your account and choose “Change address”. Once it is on its way, the link in "
            "the carrier's email lets you choose a pick-up shop or another day instead."
        ),
    },
    "Returns and repairs": {
        "Returning something": (
            "You have 30 days from the day the parcel arrives. What you return should be unused "
            "and have its label. Print the return slip from the order in your account, put it "
            "into the parcel and bring it to any pick-up shop. Returns are free within the "
            "European Union. We refund the way you paid within 5 working days of its arrival."
        ),
        "Repairs and guarantee": (
            "Zips, seams and buckles have a guarantee of five years. If one breaks, we repair it "
            "free of charge, or send you a new piece if it cannot be repaired. Write to the "
            "repair desk with the order number and a photo. A repair takes about two weeks, and "
            "we pay for the way here and back."
        ),
    },
    "Orders and payment": {
        "Order confirmation": (
            "A confirmation is sent to your email address within a few minutes. If it has not "
            "arrived after an hour, look into the spam folder first. The order itself is in your "
            "account, also without the email. We can send the confirmation once more if you give "
            "us the order number or the address that you ordered with."
        ),
        "Cancelling an order": (
            "An order can be cancelled until it is packed, usually for two hours. Open it in your "
            "account and choose “Cancel order”; we refund the way you paid on the same day. After "
            "that, refuse the parcel at the door or return it within 30 days."
        ),
        "Paying by invoice": (
            "You can pay by card, by PayPal and by bank transfer. In Germany, Austria and the "
            "Netherlands you can also pay by invoice, within 14 days of delivery and up to 500 €. "
            "The first order by invoice needs a delivery address that is the billing address."
        ),
        "Discount codes": (
            "A discount code is valid for baskets from 50 €, once for each customer, and until "
            "the day that is printed on it. It does not apply to reduced items, gift cards and "
            "delivery. Enter it in the basket, before the address: later the field is not shown."
        ),
    },
    "Products and care": {
        "Washing merino wool": (
            "Wash merino cold, at most at 30 degrees, on the wool programme and with a detergent "
            "for wool, without softener. Dry it lying flat and away from the sun, never in the "
            "dryer. Often it is enough to hang a sweater outside overnight. Small knots can be "
            "shaved off with a comb for wool."
        ),
        "Backpack for a day": (
            "The backpack holds 22 litres and weighs 640 g. It measures 45 × 28 × 18 cm and so "
            "fits the hand luggage of every airline that we know. A laptop of up to 15 inches "
            "fits into the inner sleeve. The rain cover is in the bottom pocket."
        ),
        "Choosing a size": (
            "Our jackets are cut straight. If you are between two sizes, take the larger one for "
            "layers below it and the smaller one for a close fit. At 175 to 182 cm and 70 to "
            "80 kg most people wear an M. The table of sizes has chest, waist and sleeve of each."
        ),
    },
}
"""Sections by heading, by the title of their page."""

ANSWERS: Mapping[tuple[str, ...], str] = {
    ("Do you offer gift wrapping?", "Can you wrap it as a present?"): (
        "Yes, for 3 € a parcel, in recycled paper and with a card of your own words. Choose it in "
        "the last step before you pay."
    ),
    ("Do you have gift cards?", "How long is a gift card valid?"): (
        "Gift cards have any value from 10 to 250 €, come by email or by post, and are valid for "
        "three years."
    ),
}
"""Answers by the questions that they are for."""

SIZES = """Size,Height (cm),Chest (cm),Waist (cm),Sleeve (cm)
XS,158-166,82-88,68-74,61
S,165-172,88-94,74-80,63
M,172-182,94-102,80-88,65
L,180-188,102-110,88-96,67
XL,186-194,110-118,96-104,69
"""
SIZES_FILE = "sizes.csv"

PASSAGES: Mapping[str, tuple[str, ...]] = {
    "Can I change the delivery address?": (
        "Changing the delivery address",
        "Delivery times and costs",
    ),
    "How long do I have to return something?": ("Returning something", "Repairs and guarantee"),
    "Do you ship to Switzerland?": ("Switzerland and other countries", "Delivery times and costs"),
    "The zip on my jacket broke after a week.": ("Repairs and guarantee", "Returning something"),
    "Which size should I take? I am 178 cm and 74 kg.": ("Choosing a size",),
    "How do I wash the merino sweater?": ("Washing merino wool",),
    "Can I pay by invoice?": ("Paying by invoice", "Discount codes", "Cancelling an order"),
    "I never got a confirmation.": ("Order confirmation",),
    "My discount code does not work.": ("Discount codes", "Paying by invoice"),
    "Please cancel my order.": ("Cancelling an order", "Returning something"),
    "How big is the backpack?": ("Backpack for a day",),
    "Do you offer gift wrapping?": ("Do you offer gift wrapping?",),
    "What does express delivery cost?": (
        "Delivery times and costs",
        "Switzerland and other countries",
    ),
}
"""What is found for a question: headings, or the first question of an answer, best first. Nothing
is found for the others."""
