"""What an archive holds beside screening images, told by one header at a time.

An element that is absent is unknown, and never a reason to leave an image out. What only the whole
archive can tell (FOR PROCESSING twins, duplicates) is settled by `datasets.archive`.
"""

from mammo_ray.config import ExcludeConfig
from mammo_ray.dicom.header import HeaderFacts
from mammo_ray.schema import ExclusionRule, ImageKind

# Modalities under which mammograms are stored; digitised films come as CR, RG, OT or SC.
_MODALITIES = {None, "MG", "CR", "DX", "RG", "OT", "SC"}

# Rule, and the name of both its switch and its sign; where several fire, the first is the reason.
_BY_SIGN = (
    (ExclusionRule.FLAT_FIELD, "flat_field"),
    (ExclusionRule.QUALITY_CONTROL, "quality_control"),
    (ExclusionRule.SPECIMEN, "specimen"),
    (ExclusionRule.STEREOTACTIC, "stereotactic"),
    (ExclusionRule.MAGNIFICATION, "magnification"),
    (ExclusionRule.SPOT_COMPRESSION, "spot_compression"),
)


def exclusion_of(facts: HeaderFacts, rules: ExcludeConfig) -> tuple[ExclusionRule, str] | None:
    """The rule that leaves an object out on purpose, with what was found; None keeps it.

    Args:
        facts: of the object's header; `dicom.purpose` says what counts as a sign.
        rules: section `data.exclude` of the configuration.
    """
    if not facts.is_image_object:
        return ExclusionRule.NOT_AN_IMAGE_OBJECT, f"SOPClassUID {facts.row.get('sop_class')}"
    if rules.other_modality and _is_other_modality(facts):
        return ExclusionRule.OTHER_MODALITY, f"Modality {facts.modality}"
    for rule, name in _BY_SIGN:
        found: str | None = getattr(facts.signs, name)
        if found is not None and getattr(rules, name):
            return rule, found
    return None


def _is_other_modality(facts: HeaderFacts) -> bool:
    """Tomosynthesis slices of a breast were stored as CT before they had a class of their own."""
    if facts.modality == "CT" and facts.row.get("image_kind") == ImageKind.TOMOSYNTHESIS:
        return False
    return facts.modality not in _MODALITIES
