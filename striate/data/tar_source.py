"""Images in tar files as a source: class folders in a tar, or shards as WebDataset writes them."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from striate.common.budget import at_most
from striate.common.text import counted, cut
from striate.data import decoded_cache
from striate.data.class_folders import ClassFolders, branches, check_classes, check_nested, role_of
from striate.data.dataset import DataError, Dataset, LoadOptions, natural_key, same_text
from striate.data.folders import load_found
from striate.data.paths import is_hidden_folder, is_image_name, kind_of_other
from striate.data.shard_names import role_of_shard
from striate.data.tar_files import MOST_LABEL, MOST_MEMBERS, ClampedFile, TarMember, TarReader

_LABEL_ENDINGS = ("cls", "json", "txt")
_NAME_KEYS = ("label_name", "class_name", "classname", "cls_name")
_KEYS = ("label", "cls", "class", "category", "target")
_LONGEST_CLASS = 200


@dataclass
class _Found:
    """What some tar files hold.

    Attributes:
        images: (shard, name, file) of each.
        labels: the class that a file beside it tells, by shard and name up to the first dot.
        others: files that are no images, by `kind_of_other`.
        links: how many members are links.
    """

    images: list[tuple[str, str, decoded_cache.File]] = field(default_factory=list)
    labels: dict[tuple[str, str], str] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)
    links: int = 0


def load_tars(source: str, shards: Sequence[str], options: LoadOptions) -> Dataset:
    """Load the images in tar files, which stay there.

    Args:
        source: what the user named.
        shards: the tar files.
        options: see there.

    Raises:
        DataError: a tar is packed, truncated or damaged; there are no images, or no classes; or as
            `striate.data.folders.load_found`.
    """
    folder = Path(source) if os.path.exists(source) else Path(os.path.dirname(source) or ".")
    found = _read(source, shards)
    if not found.images:
        raise DataError(
            f"{source}: holds no images"
            + f", only {counted(found.others.total(), 'other file')}" * bool(found.others)
        )
    by_label = _by_label(found, folder)
    parts = by_label if by_label is not None else _by_folder(found, folder, len(shards))
    first = next(iter(parts.values()))
    first.others += found.others
    nested = options.nested or options.classes is not None
    if len(parts) == 1 and by_label is None:
        check_classes(first, nested)
    elif by_label is None:
        for part in parts.values():
            check_nested(part, nested)
    notes = [f"{counted(found.links, 'link')} in the tar not followed"] * bool(found.links)
    name = Path(source).resolve().name if os.path.exists(source) else os.path.basename(source)
    return load_found(parts, notes, options, name=name.removesuffix(".tar"), folder=folder)


def _read(source: str, shards: Sequence[str]) -> _Found:
    """Go through all members once."""
    found = _Found()
    count = 0
    for shard in shards:
        reader = TarReader(shard)
        status = reader.status
        for member, file in reader.members():
            count += 1
            at_most(count, MOST_MEMBERS, "files", source, "give fewer shards", error=DataError)
            folder, _, name = member.name.rpartition("/")
            if any(map(is_hidden_folder, folder.split("/"))):
                found.others["hidden"] += 1
            elif is_image_name(name):
                image = decoded_cache.File(
                    f"{shard}{os.sep}{member.name}",
                    member.size,
                    status.st_mtime_ns,
                    status.st_ctime_ns,
                    (shard, member.offset),
                )
                found.images.append((shard, member.name, image))
            elif name.rpartition(".")[2].lower() in _LABEL_ENDINGS and not name.startswith("."):
                file.seek(member.offset)
                _add_label(found, shard, member, file)
            else:
                found.others[kind_of_other(name)] += 1
        found.links += reader.links
    return found


def _sample(name: str) -> str:
    """Return a member's name up to the first dot of the file's: what belongs together."""
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.partition(".")[0]


def _add_label(found: _Found, shard: str, member: TarMember, file: ClampedFile) -> None:
    """Note the class that a file tells; of several beside an image that of .cls, then .json."""
    key = (shard, _sample(member.name))
    ending = member.name.rpartition(".")[2].lower()
    text = None
    if member.size <= MOST_LABEL:
        text = _class_in(file.read(member.size), ending)
    if text is None:
        found.others[f".{ending}"] += 1
    elif ending == "cls" or key not in found.labels:
        found.labels[key] = text


def _class_in(content: bytes, ending: str) -> str | None:
    """Return the class that the content of a file beside an image tells; None if it tells none."""
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return None
    if ending == "json":
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if isinstance(value, dict):
            named = [value[key] for key in _NAME_KEYS + _KEYS if key in value]
            value = named[0] if named else None
        if isinstance(value, bool) or not isinstance(value, str | int):
            return None
        text = str(value).strip()
    if not text or "\n" in text or len(text) > _LONGEST_CLASS:
        return None
    return same_text(text)


def _by_label(found: _Found, folder: Path) -> dict[str, ClassFolders] | None:
    """Return the parts by the files that tell classes; None if there are no such files.

    Raises:
        DataError: an image has none, though others have.
    """
    keys = {(shard, _sample(name)) for shard, name, _ in found.images}
    if not any(key in found.labels for key in keys):
        return None
    roles = {shard: role_of_shard(shard) for shard, _, _ in found.images}
    whole = "train" not in roles.values()
    parts: dict[str, ClassFolders] = {}
    for shard, name, file in found.images:
        label = found.labels.get((shard, _sample(name)))
        if label is None:
            raise DataError(
                f"{file.path}: has no file beside it that tells its class, as others have: add "
                f"{cut(_sample(name), 80)}.cls, or leave it out"
            )
        role = "train" if whole else roles[shard] or "train"
        part = parts.setdefault(role, ClassFolders(folder))
        part.classes.setdefault(label, []).append(file)
    return _in_order(parts)


def _by_folder(found: _Found, folder: Path, shards: int) -> dict[str, ClassFolders]:
    """Return the parts by the folders in the tar; without folders each tar is a class.

    Raises:
        DataError: one tar without folders.
    """
    places = [tuple(name.split("/")[:-1]) for _, name, _ in found.images]
    flat = not any(places)
    if flat and shards == 1:
        raise DataError(
            f"{folder}: its images are not in folders, one for each class, nor have they files "
            "that tell classes beside them (NAME.jpg and NAME.cls)"
        )
    if flat:
        places = [(os.path.basename(shard).removesuffix(".tar"),) for shard, _, _ in found.images]
    depth = _common(places)
    above = {place[depth] for place in places if len(place) > depth + 1}
    roles = {name: role_of(name) for name in above}
    shard_roles = {shard: role_of_shard(shard) for shard, _, _ in found.images}
    by_shard = not flat and "train" in shard_roles.values() and len(set(shard_roles.values())) > 1
    whole = "train" not in roles.values()
    parts: dict[str, ClassFolders] = {}
    loose = 0
    for (shard, _, file), place in zip(found.images, places, strict=True):
        role, level = "train", depth
        if not whole and len(place) > depth and roles.get(place[depth]):
            role, level = roles[place[depth]] or "train", depth + 1
        elif not whole:
            found.others["in no part"] += 1
            continue
        elif by_shard:
            role = shard_roles[shard] or "train"
        if len(place) <= level:
            loose += 1
            continue
        part = parts.setdefault(role, ClassFolders(folder))
        part.classes.setdefault(same_text(place[level]), []).append(file)
    parts = _in_order(parts)
    next(iter(parts.values())).loose = loose
    for part in parts.values():
        for name, files in part.classes.items():
            shards_of = [file.path if file.inside is None else file.inside[0] for file in files]
            inside = [f.path[len(s) + 1 :] for f, s in zip(files, shards_of, strict=True)]
            names, where = branches(inside)  # a class may be in several shards
            if len(names) > 1:
                part.branched.append((folder / name, os.path.join(shards_of[0], where), names))
    return parts


def _common(places: Sequence[tuple[str, ...]]) -> int:
    """Return at which depth the folders part; the last folder is a class if all lie in one."""
    first = min(places)
    last = max(places)
    if first == last:
        return len(first) - 1
    return next(
        (at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]),
        min(len(first), len(last)),
    )


def _in_order(parts: dict[str, ClassFolders]) -> dict[str, ClassFolders]:
    """Return the parts, their classes and files in natural order; those for validation are the
    test images where there are no others.
    """
    if "test" not in parts and "validation" in parts:
        parts["test"] = parts.pop("validation")
    made: dict[str, ClassFolders] = {}
    for role in ("train", "test", "validation"):
        if role in parts:
            part = made[role] = parts[role]
            part.classes = {
                name: sorted(part.classes[name], key=lambda file: natural_key(file.path))
                for name in sorted(part.classes, key=natural_key)
            }
    return made
