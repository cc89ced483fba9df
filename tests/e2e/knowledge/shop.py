"""A shop's website, files and answers, and what customers ask about each."""

from __future__ import annotations

from dataclasses import dataclass

from tests.knowledge.parsing.office_files import make_docx, word_paragraph
from tests.knowledge.parsing.pdf_files import lines, make_pdf
from tests.knowledge.site import NOT_FOUND, Page, page, redirect, text

TOPICS = {
    "gift-wrapping": ("Gift wrapping", "Presents are wrapped in recycled silk paper for 3 euros."),
    "returns": ("Returns", "Unused goods can be sent back within thirty days."),
    "opening-hours": ("Opening hours", "The boutique in Lisbon opens at ten on weekdays."),
    "tea-ceremony": ("Tea ceremony", "On Saturdays our master Haruki leads a matcha ceremony."),
    "repairs": ("Repairs", "A cracked handle is glued with golden lacquer in our studio."),
    "vouchers": ("Vouchers", "A voucher is valid for three years and can be divided."),
    "newsletter": ("Newsletter", "Subscribers read about new harvests every equinox."),
    "couriers": ("Couriers", "Bicycle couriers bring parcels inside the city on the same day."),
    "insurance": ("Insurance", "Porcelain above 200 euros travels with transport insurance."),
    "farmers": ("Farmers", "Our farmers grow oolong on the slopes of Alishan in Taiwan."),
    "workshops": ("Workshops", "Pottery workshops for children take place during autumn holidays."),
    "engraving": ("Engraving", "Initials are engraved on copper caddies up to four letters."),
    "payment": ("Payment", "Invoices can be paid by bank transfer after fourteen days."),
    "students": ("Students", "Students with a card pay a tenth less on loose leaves."),
    "packaging": ("Packaging", "Cartons are filled with popcorn instead of plastic foam."),
}
"""Path, title and text of each page that can be read."""
WEBSITE_QUESTION = "Which lacquer do you use for a cracked handle?"
REPAIRS = "/repairs"

QUESTION = "Do you deliver to Iceland?"
ANSWER = "Yes, Nordic Post carries everything to Reykjavik in nine days."


def make_website() -> dict[str, Page]:
    """Twenty addresses: fifteen topics and a home page, one page behind 403, one that redirects to
    another, and two that robots.txt forbids."""
    paths = [f"/{name}" for name in TOPICS]
    others = ["/wholesale", "/old-returns", "/internal/prices", "/internal/staff"]
    return {
        "/robots.txt": text("User-agent: *\nDisallow: /internal/\n"),
        "/sitemap.xml": NOT_FOUND,
        "/": page(*paths, *others, title="Lotus tea house", text="Tea, cups and company."),
        "/wholesale": page(title="Wholesale", status=403),
        "/old-returns": redirect("/returns"),
        "/internal/prices": page(title="Purchase prices", text="We buy oolong for 2 euros."),
        "/internal/staff": page(title="Staff", text="Haruki lives above the boutique."),
        **{
            f"/{name}": page("/", title=title, text=about)
            for name, (title, about) in TOPICS.items()
        },
    }


@dataclass(frozen=True)
class UploadedFile:
    """A file of the shop, a question that it answers, and the page on which it does."""

    name: str
    body: bytes
    content_type: str
    question: str
    page: int | None = None


FILES = (
    UploadedFile(
        "warranty.pdf",
        make_pdf(
            [
                [],  # a cover
                lines("Warranty", "The samovar is guaranteed for seven years against leaks."),
            ],
            title="Warranty",
        ),
        "application/pdf",
        "How many years is the samovar guaranteed against leaks?",
        page=2,
    ),
    UploadedFile(
        "handbook.docx",
        make_docx(
            word_paragraph("Brewing", heading=1)
            + word_paragraph("Gyokuro is brewed at fifty degrees for ninety seconds."),
            title="Brewing handbook",
        ),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "At how many degrees is gyokuro brewed?",
    ),
    UploadedFile(
        "prices.csv",
        b"Product,Price,Colour\nTeapot Kyoto,49 euros,celadon\nCaddy Oslo,18 euros,copper\n",
        "text/csv",
        "What is the price of the teapot Kyoto?",
    ),
)
