"""Ranks on the workers of a cluster, started again when some are lost.

cluster       what starts processes on workers: the protocol, and how ranks are dealt to them
on_worker     what workers do: look whether they can, and run a proxy of `mpiexec`
ssh_hosts     the hosts of a file
ray_cluster   the nodes of Ray
dask_cluster  the workers of Dask
own_address   by which workers find the machine of `mpiexec`
attempt       one start of all ranks
restarts      the next one, with those that are left
"""
