"""The image files of a source: decoded, taken from the cache, or known well enough to be decoded
when they are needed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from striate.common.digests import digest_of
from striate.common.text import sizes
from striate.data import decoded_cache, survey_cache
from striate.data.dataset import DataError, LoadOptions
from striate.data.decode import WantedImages, decode_chunk
from striate.data.found_images import with_sides
from striate.data.holding import are_held, room_for
from striate.data.image_rows import SurveyedImages
from striate.data.image_storage import ImageStorage
from striate.data.images import Decoded, decode_images
from striate.data.row_cache import LIMIT, row_cache
from striate.data.stored_images import ImageFile
from striate.ranks.agree import agree
from striate.ranks.joint_findings import any_of, least

# What the pixels depend on, beside the files.
_KINDS = ("size", "sides", "colour", "mode", "cut_from", "max_pixels", "white")


def decode_files(
    files: Sequence[decoded_cache.File], options: LoadOptions, name: str
) -> tuple[Decoded, bool, str]:
    """Decode the files of the source of that name or take them from the cache.

    Ranks that have no room for all images share the work, and end with the same; where each holds
    all of them, the first of a machine decodes, and leaves them in the cache for the others.

    Returns:
        The images; whether it was the cache; and a note if they are not held in memory.
    """
    places = [file.place for file in files]
    options = with_sides(places, options, name)
    key = decoded_cache.key(files, {kind: getattr(options, kind) for kind in _KINDS})
    exchange = options.exchange
    if not exchange.is_alone:
        _agree(files, options)
    held, told = are_held(places, options, least(exchange, room_for(options)))
    if held:
        return (*exchange.leaders_first(lambda: _held(places, options, key)), told)
    return (*_surveyed(places, options, key), told)


def _agree(files: Sequence[decoded_cache.File], options: LoadOptions) -> None:
    """Find out whether all ranks have the same files, whatever their folder is called, and want the
    same of them.
    """
    facts = {
        "number of image files": len(files),
        "image files": digest_of([[os.path.basename(file.path), file.size] for file in files]),
        "bad images skipped": options.skip_bad,
        "size": options.size and sizes(options.size),
        "longest side": None if options.size else options.sides,
        "images cut from": options.cut_from and sizes(options.cut_from),
        **{kind: getattr(options, kind) for kind in ("colour", "mode", "max_pixels", "white")},
    }
    agree(
        options.exchange,
        facts,
        "the ranks cannot load images together",
        "give all of them the same",
    )


def _held(places: Sequence[ImageFile], options: LoadOptions, key: str) -> tuple[Decoded, bool]:
    found = decoded_cache.read(key) if options.cache else None
    if found is not None and _still_bad(places, found.bad, options):
        return found, True
    decoded = _decoded(places, options, None)
    if options.cache:
        decoded_cache.write(key, decoded)
    return decoded, False


def _surveyed(places: Sequence[ImageFile], options: LoadOptions, key: str) -> tuple[Decoded, bool]:
    exchange = options.exchange
    limit = LIMIT if options.image_cache is None else options.image_cache
    limit *= options.cache
    found = survey_cache.read(key, len(places)) if options.cache else None
    is_known = found is not None and _still_bad(places, found.bad, options)
    all_know = not any_of(exchange, not is_known)  # machines have caches of their own
    if found is not None and all_know:
        cache = row_cache(key, found.shape, limit, exchange)
        return found.decoded(places, cache, exchange.threads), True
    decoded = _decoded(places, options, SurveyedImages(places, key, limit, exchange))
    if options.cache and exchange.is_leader:
        survey_cache.write(key, decoded)
    return decoded, False


def _decoded(
    places: Sequence[ImageFile], options: LoadOptions, storage: ImageStorage | None
) -> Decoded:
    return decode_images(
        places,
        size=options.size,
        colour=options.colour,
        mode=options.mode,
        cut_from=options.cut_from,
        skip_bad=options.skip_bad,
        max_pixels=options.max_pixels,
        white=options.white,
        progress=options.progress,
        storage=storage,
        sides=options.sides,
    )


def _still_bad(
    places: Sequence[ImageFile], bad: Sequence[tuple[int, str]], options: LoadOptions
) -> bool:
    """Return whether the files that an entry of the cache is without are still unreadable.

    They might have been so for a passing reason, such as a network drive that was away.

    Args:
        places: all files.
        bad: of those the index and what was wrong.
        options: as they are loaded.

    Raises:
        DataError: they are, and bad images are not to be skipped.
    """
    if not bad:
        return True
    target = WantedImages(8, 8, 3, max_pixels=options.max_pixels)
    chunk = decode_chunk([places[index] for index, _ in bad], target)
    if len(chunk.errors) < len(bad):
        return False
    if not options.skip_bad:
        raise DataError(chunk.errors[0][1])
    return True
