"""Who changes a batch's images, the engine or NumPy; and that nobody can tell from the result."""

import numpy as np
import pytest

from striate.data.augment import Augment
from striate.plan.inputs import ImagesInPlace
from striate.training.loading import Loader, gather, select
from striate.training.loop import fit
from striate.training.random_streams import Stream, generator

ROWS = np.array([4, 1, 11, 4])


def pictures(dtype=np.uint8, channels=3):
    return np.random.default_rng(0).integers(0, 200, (12, 6, 8, channels)).astype(dtype)


def loaded(images, augment, *, reads_in_place=True):
    return Loader(images, augment, 3, reads_in_place)(0, 0, ROWS)


class Own(Augment):
    """May do anything."""


@pytest.mark.parametrize(
    ("images", "augment", "direct"),
    [
        (pictures(), None, True),
        (pictures(np.float32), None, True),
        (pictures() > 99, None, True),
        (pictures(), Augment(), True),
        (pictures(), Augment(shift=1, flip=True, cutout=2), True),
        (pictures() > 99, Augment(shift=1), True),
        (pictures(np.float32), Augment(crop=1, padding="edge", brightness=0.1), True),
        (pictures(float), None, False),
        (pictures(np.int16), Augment(flip=True), False),
        (pictures(">f4"), None, False),
        (pictures()[:, :, ::2], None, False),
        (pictures(), lambda images, rng: images, False),
        (pictures(), Own(flip=True), False),
        (pictures(), Augment(flip=True, rotate=10), False),
        (pictures(), Augment(zoom=0.1), False),
        (pictures(), Augment(contrast=0.1), False),
        (pictures(np.float32), Augment(shift=1, saturation=0.1), False),
        (pictures(), Augment(shift=1, crop=1), False),
        (pictures(np.float32), Augment(cutout=2), False),
    ],
)
def test_what_the_engine_can_do_it_does(images, augment, direct):
    assert isinstance(loaded(images, augment), ImagesInPlace) == direct
    plain = loaded(images, augment, reads_in_place=False)
    assert isinstance(plain, np.ndarray)
    assert Loader(images, augment, 3, reads_in_place=True).is_light == direct
    assert not Loader(images, augment, 3, reads_in_place=False).is_light
    assert isinstance(select(images, ROWS, False), np.ndarray)
    chosen = select(images, ROWS, True)
    if isinstance(chosen, ImagesInPlace):
        assert np.shares_memory(chosen.images, images)
        np.testing.assert_array_equal(chosen.images[chosen.rows], gather(images, ROWS))


def test_wrong_images_are_told_before_training():
    with pytest.raises(ValueError, match=r"crop=6 moves images of 6 × 8 pixels"):
        Loader(pictures(), Augment(crop=6), 0, reads_in_place=True)
    with pytest.raises(ValueError, match="is for 2 channels, the images have 3"):
        loaded(pictures(), Augment(shift=1, fill=(1, 2)))


def test_means_are_of_the_batch_in_every_epoch():
    images = pictures()
    load = Loader(images, Augment(cutout=3), 0, reads_in_place=True)
    for index, rows in enumerate((np.array([0, 3, 5]), np.array([5, 7]), np.array([0, 7, 7]))):
        for _ in range(2):  # the second time all sums are known
            colour = load(0, index, rows).changes.colour
            mean = images[rows].mean(axis=(0, 1, 2), dtype=np.float64)
            np.testing.assert_array_equal(colour, np.rint(mean))


@pytest.mark.parametrize("reads_in_place", [False, True])
def test_alternate_flips_need_no_more_than_the_seed(reads_in_place):
    count = 400
    images = np.zeros((count, 1, 2, 1), np.uint8)
    images[:, :, 0] = 1

    def mirrored(seed, epoch, rows):
        ready = Loader(images, Augment(flip="alternate"), seed, reads_in_place)(epoch, 0, rows)
        return ready.changes.mirrored if reads_in_place else ready[:, 0, 1, 0] == 1

    everyone = np.arange(count)
    first = mirrored(0, 0, everyone)
    assert 150 < first.sum() < 250
    np.testing.assert_array_equal(mirrored(0, 1, everyone), ~first)
    np.testing.assert_array_equal(mirrored(0, 2, everyone), first)
    # An image's turn is its own, in whichever batch it comes.
    np.testing.assert_array_equal(mirrored(0, 4, everyone[::-3]), first[::-3])
    assert (mirrored(1, 0, everyone) != first).any()


def test_both_views_of_every_image_in_two_epochs(problem, make_network):
    seen = []

    class Spy(Augment):
        def apply(self, images, draw):
            seen.extend(bytes(image) for image in super().apply(images, draw))
            return images

    images, labels = problem(30)
    fit(
        make_network(), images, labels, epochs=2, batch_size=8, engine="numpy", progress=False,
        augment=Spy(flip="alternate"),
    )  # fmt: skip
    both = {bytes(image) for image in (*images, *images[:, :, ::-1].copy())}
    assert set(seen) == both
    assert len(seen) == 60


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(
    "augment",
    [
        None,
        Augment(shift=1),
        Augment(crop=2, padding="reflect", flip=True, brightness=0.2),
        Augment(flip="alternate", cutout=2, cutout_fill=(7,)),
        Augment(flip="alternate", rotate=20, zoom=0.2, contrast=0.3, shift=1, fill="edge"),
    ],
)
def test_training_has_the_same_bits_whoever_changes_the_images(
    problem, make_network, monkeypatch, augment, dtype
):
    pytest.importorskip("llvmlite")
    from striate.engines.llvm import CompiledEngine

    images, labels = problem(70)
    images = images.astype(dtype)

    def trained(threads):
        network = make_network(batch_norm=True, dropout=0.25)
        history = fit(
            network, images, labels, epochs=3, batch_size=16, validation_fraction=0.2, seed=4,
            augment=augment, threads=threads, progress=False,
        )  # fmt: skip
        return network.flat.copy(), network.state_flat.copy(), history.column("val_loss")

    first = trained(1)
    runs = [trained(2)]
    monkeypatch.setattr(CompiledEngine, "reads_in_place", False)
    runs.append(trained(2))
    for run in runs:
        for one, two in zip(first, run, strict=True):
            np.testing.assert_array_equal(one, two)


def test_images_in_a_file(problem, make_network, tmp_path):
    pytest.importorskip("llvmlite")
    images, labels = problem(60)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    # What comes from a file is asked for ahead of time, in another thread.
    assert not Loader(np.asarray(mapped), None, 0, reads_in_place=True).is_light
    networks = []
    for source in (images, mapped):
        network = make_network()
        augment = Augment(shift=1)
        fit(network, source, labels, epochs=2, batch_size=16, augment=augment, progress=False)
        networks.append(network.flat.copy())
    np.testing.assert_array_equal(*networks)


@pytest.mark.parametrize(
    "augment",
    [
        Augment(contrast=0.2, shift=3, fill="mean", cutout=9),
        Augment(saturation=0.2, crop=4, padding="edge", flip=True, brightness=0.1),
        Augment(rotate=9, zoom=0.1, fill=(1, 2, 3), hue=0.1, resized_crop=0.4, randaugment=2),
    ],
)
def test_large_images_are_changed_by_several_threads_to_the_same_bits(augment, monkeypatch):
    monkeypatch.setattr("striate.common.ordered_work.default_threads", lambda: 3)
    images = np.random.default_rng(0).integers(0, 256, (21, 60, 64, 3), np.uint8)
    rows = np.arange(21)[::-1]
    found = Loader(images, augment, 5, True)(2, 3, rows)
    expected = augment(images[rows], generator(5, Stream.AUGMENT, 2, 3))
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found[:, 0, 0, 0])) > 5
