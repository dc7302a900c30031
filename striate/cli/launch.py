"""`striate launch`: trains on the workers of a cluster, and goes on when some are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from striate.cli.model_output import check_model_file, checkpoint_beside
from striate.cli.output import note, one_line
from striate.cli.train import train
from striate.common.optional import require
from striate.common.stop_signals import InterruptHandler

if TYPE_CHECKING:
    from striate.ranks.launching.cluster import Cluster

_FORM = "striate launch --hosts FILE -- train SOURCE --out MODEL …"


@click.command(
    short_help="Train on the machines of a cluster, and go on when some are lost.",
    context_settings={"allow_interspersed_args": False},
)
@click.option(
    "--hosts",
    metavar="FILE",
    help='The hosts of a file, by ssh: one on each line, or "node1:2" for two ranks.',
)
@click.option(
    "--ray",
    is_flag=False,
    flag_value="auto",
    metavar="[ADDRESS]",
    help='The nodes of a Ray cluster; "local" starts one here.  [default: that to which this '
    "machine belongs]",
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="The workers of a Dask scheduler, tcp://host:8786, or of its file, scheduler.json.",
)
@click.option(
    "--ranks",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many processes.  [default: one for each worker, or as the file of hosts says]",
)
@click.option(
    "--restarts",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="K",
    help="When ranks are lost, start again from the last checkpoint, at most K times.",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- train SOURCE …")
def launch(
    hosts: str | None,
    ray: str | None,
    dask: str | None,
    ranks: int | None,
    restarts: int,
    command: tuple[str, ...],
) -> int:
    """Start the ranks of one training on the workers of a cluster, wait for its end, and when a
    rank or a machine is lost start again from the checkpoint with those that are left.

    What stands behind "--" is a command line of striate train. Its --out names the model, in a
    folder that all workers see under the same name, as they see the images. The model is the one
    that a single process makes, to the last bit, whatever happens meanwhile.

    The exit code is that of the training. Ctrl-C and SIGTERM stop all ranks after their step, with
    a checkpoint.
    """
    if sum(given is not None for given in (hosts, ray, dask)) != 1:
        raise click.UsageError("give one of --hosts, --ray and --dask")
    training = _training(command)
    check_model_file(training["out"])
    require("mpi4py", "mpi", "striate launch")
    from striate.ranks.launching import restarts as launching

    with InterruptHandler() as stop, _cluster(hosts, ray, dask) as cluster:
        return launching.launch(
            cluster,
            command,
            checkpoint=checkpoint_beside(training["out"]),
            ranks=ranks,
            restarts=restarts,
            stop=stop,
            tell=lambda sentence: note(one_line(sentence), quiet=training["quiet"]),
        )


def _cluster(hosts: str | None, ray: str | None, dask: str | None) -> Cluster:
    """What reaches the workers."""
    if hosts is not None:
        from striate.ranks.launching.ssh_hosts import SshHosts

        return SshHosts(hosts)
    if dask is not None:
        from striate.ranks.launching.dask_cluster import DaskCluster

        return DaskCluster(dask)
    from striate.ranks.launching.ray_cluster import RayCluster

    return RayCluster(ray or "auto")


def _training(command: tuple[str, ...]) -> dict[str, Any]:
    """The options of the training, checked before anything is started.

    Raises:
        ClickException: they are wrong, or not those of one that can go on elsewhere.
    """
    if not command or command[0] != train.name:
        raise click.UsageError(f'only train can be launched, as what follows "--": {_FORM}')
    given = train.make_context(train.name, list(command[1:])).params
    if given["processes"] is not None:
        raise click.UsageError("leave --processes out: --ranks says how many there are")
    if given["out"] is None:
        raise click.UsageError(
            "give train --out MODEL, in a folder that all workers see: another one may have to go "
            "on from the checkpoint beside it"
        )
    if given["checkpoint_every"] == 0:
        raise click.UsageError(
            "--checkpoint-every 0 leaves nothing to go on from when ranks are lost: leave it out"
        )
    return given
