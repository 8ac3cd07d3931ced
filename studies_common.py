"""What the lists of studies share."""

import dataclasses
import shlex


def command_of(experiment, settings, *more):
    """The command that runs an experiment (a module) with some settings (a dict), and with more words after them."""
    words = []
    for field in dataclasses.fields(experiment.Settings):
        if field.name in settings:
            flag, value = "--" + field.name.replace("_", "-"), settings[field.name]
            words += [flag] if value is True else [flag, str(value)]
    return shlex.join(["python3", f"{experiment.EXPERIMENT}.py", *words, *more])
