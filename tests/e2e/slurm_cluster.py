"""Slurm on this machine, as this user, below a directory of its own: munged, slurmctld and one slurmd, all of Debian. Nothing of the system's is used or left."""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PROGRAMS = {name: shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin") for name in
            ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "sinfo")}
CPUS = 4  # that Slurm believes in

CONFIGURATION = """\
ClusterName=hearth
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthInfo=socket={root}/munge.socket
CredType=cred/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,batch_sched_delay=0
MpiDefault=pmix
ReturnToService=2
MessageTimeout=5
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def is_installed():
    return all(PROGRAMS.values())


class Slurm:
    """`environment` makes Slurm's commands, and a daemon that runs them, talk to this one."""

    def __init__(self):
        self._temporary = tempfile.TemporaryDirectory(prefix="hearth-slurm-")
        self.root = pathlib.Path(self._temporary.name)
        self.root.chmod(0o755)  # munged wants its socket to be reachable
        for name in ("state", "spool"):
            (self.root / name).mkdir()
        (self.root / "key").write_bytes(os.urandom(1024))
        (self.root / "key").chmod(0o600)
        host = socket.gethostname().split(".")[0]
        (self.root / "slurm.conf").write_text(CONFIGURATION.format(root=self.root, host=host, ports=free_ports(2), user=pwd.getpwuid(os.geteuid()).pw_name, cpus=CPUS))
        self.environment = dict(os.environ, SLURM_CONF=str(self.root / "slurm.conf"))
        self._processes = {}
        self._start("munged", "--foreground", "--num-threads=10", *(f"--{what}={self.root}/{file}" for what, file in (
            ("key-file", "key"), ("socket", "munge.socket"), ("pid-file", "munge.pid"), ("log-file", "munge.log"), ("seed-file", "munge.seed"))))
        self._wait("munged", lambda: (self.root / "munge.socket").exists())
        self.start_controller()
        self._start("slurmd", "-D")
        self._wait("slurmd", lambda: self.run("sinfo", "--noheader", "--format=%T").stdout.strip() == "idle")

    def _start(self, name, *arguments):
        with open(self.root / f"{name}.out", "ab") as out:
            self._processes[name] = subprocess.Popen([PROGRAMS[name], *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.environment)

    def _wait(self, name, ready, seconds=60):
        deadline = time.monotonic() + seconds
        while not ready():
            if self._processes[name].poll() is not None or time.monotonic() > deadline:
                told = (self.root / f"{name}.out").read_text()[-2000:]
                self.__exit__()
                raise SystemExit(f"{name} does not run here:\n{told}")
            time.sleep(0.1)

    def start_controller(self):
        self._start("slurmctld", "-D")

    def end_controller(self):
        self._processes["slurmctld"].terminate()
        self._processes["slurmctld"].wait(60)

    def signal_controller(self, number):
        self._processes["slurmctld"].send_signal(number)

    def run(self, name, *arguments):
        return subprocess.run([PROGRAMS[name], *arguments], capture_output=True, text=True, timeout=60, env=self.environment)

    def jobs(self):
        """{name: state} of all jobs it remembers."""
        lines = self.run("squeue", "--noheader", "--states=all", "--format=%j|%T").stdout.split()
        return dict(line.split("|") for line in lines)

    def wait_for(self, name, *states, seconds=60):
        deadline = time.monotonic() + seconds
        while self.jobs().get(name) not in states:
            if time.monotonic() > deadline:
                raise SystemExit(f"Slurm's job {name} does not become {states}: {self.jobs()}")
            time.sleep(0.2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._processes.get("slurmd"):
            self.run("scancel", "--me")
            deadline = time.monotonic() + 20
            while set(self.jobs().values()) & {"PENDING", "RUNNING", "COMPLETING"} and time.monotonic() < deadline:
                time.sleep(0.2)
        for process in reversed(self._processes.values()):
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._temporary.cleanup()
