"""A program that answers each line it is told with a line of facts, as tests/programs/doctor_victim.cpp does."""
import subprocess


class TalkingProgram:
    def __init__(self, *command, environment=None) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.first = self.facts()

    @property
    def pid(self) -> int:
        return self.process.pid

    def facts(self) -> dict:
        words = self.process.stdout.readline().split()
        return dict(zip(words[::2], map(int, words[1::2])))

    def say(self, line: str) -> dict:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.facts()

    def end(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)
