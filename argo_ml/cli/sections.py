"""How a command's parameters are ordered: those that most people need, then group by group."""

from __future__ import annotations

import inspect

from argo_ml.config import HelpSection, Spec


def sections(spec_type: type[Spec]) -> dict[HelpSection, tuple[str, ...]]:
    """Every field once, by the section that it is shown in; there is none without fields."""
    by_section: dict[HelpSection, list[str]] = {section: [] for section in HelpSection}
    by_section[HelpSection.MOST_USED] += spec_type.most_used
    for name in spec_type.model_fields:
        if name not in spec_type.most_used:
            by_section[section_of(spec_type, name)].append(name)
    return {section: tuple(names) for section, names in by_section.items() if names}


def section_of(spec_type: type[Spec], name: str) -> HelpSection:
    """That of the group which declares the field; a spec may declare it again for another default.

    A group without a section of its own does not take one from the groups that it builds on.
    """
    group = next(
        group for group in reversed(spec_type.__mro__) if name in inspect.get_annotations(group)
    )
    section: HelpSection = vars(group).get("section", HelpSection.COMMAND)
    return section


def ordered_names(spec_type: type[Spec]) -> tuple[str, ...]:
    """All fields in the order of the help text."""
    return tuple(name for names in sections(spec_type).values() for name in names)
