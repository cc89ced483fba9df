"""`make bench`: run the benchmarks. See README.md in this directory.

make bench                 compare Parley with LiteLLM's proxy and the floor: `comparison`
make bench ARGS=pages      time each page of the dashboard: `pages`
make bench ARGS=litellm    compare Parley's use of litellm with bare litellm: `over_litellm`
make bench ARGS=growth     compare a turn with ten million messages and with none: `growth`
make bench ARGS=lists      time the API's lists with a million conversations: `lists`
make bench ARGS=retrieval  what searches of knowledge find, and how fast: `retrieval`
"""

from __future__ import annotations

import sys

import django


def main(arguments: list[str]) -> int:
    """Run one benchmark and return its exit code."""
    django.setup()
    from django.core.management import call_command

    from bench import comparison, growth, lists, over_litellm, pages, retrieval

    match arguments[:1]:
        case ["litellm"]:
            return over_litellm.main(arguments[1:])
        case ["growth"]:
            return growth.main(arguments[1:])
        case ["lists"]:
            return lists.main(arguments[1:])
    call_command("migrate", verbosity=0)
    match arguments[:1]:
        case ["pages"]:
            return pages.main(arguments[1:])
        case ["retrieval"]:
            return retrieval.main(arguments[1:])
    return comparison.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
