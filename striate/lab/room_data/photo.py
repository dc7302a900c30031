"""The photograph that the lab begins with: Grace Hopper's, which matplotlib ships."""

from __future__ import annotations

from typing import Any

from striate.common.page_parts import base64_text


def photo() -> dict[str, Any] | None:
    """The file as it is, JPEG in base64; None where matplotlib came without its sample data.

    The page decodes it, as browsers do with any picture; the pixels are those of
    `striate.pictures.grace_hopper`, but for what decoders of JPEG may round differently.
    """
    from striate.pictures.reading import grace_hopper_path

    path = grace_hopper_path()
    return (
        None if path is None else {"name": "Grace Hopper", "jpeg": base64_text(path.read_bytes())}
    )
