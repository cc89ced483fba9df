"""`make bench`: what a turn costs. See README.md beside this file.

make bench                 Parley beside LiteLLM's proxy and the floor: `comparison`
make bench ARGS=pages      what each page of the dashboard takes the server: `pages`
make bench ARGS=litellm    Parley's use of litellm beside bare litellm: `over_litellm`
make bench ARGS=growth     a turn among ten million messages and among none: `growth`
make bench ARGS=lists      the API's lists among a million conversations: `lists`
"""

from __future__ import annotations

import sys

import django


def main(arguments: list[str]) -> int:
    """Run one benchmark on the migrated database; the exit code."""
    django.setup()
    from django.core.management import call_command

    from bench import comparison, growth, lists, over_litellm, pages

    match arguments[:1]:
        case ["litellm"]:
            return over_litellm.main(arguments[1:])
        case ["growth"]:
            return growth.main(arguments[1:])
        case ["lists"]:
            return lists.main(arguments[1:])
    call_command("migrate", verbosity=0)
    if arguments[:1] == ["pages"]:
        return pages.main(arguments[1:])
    return comparison.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
