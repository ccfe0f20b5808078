"""The guard round `postroom filter`: it only ever ends with 0, 75 or 77, whatever fails, imports included."""

import sys


def guarded(arguments: list[str]) -> None:
    """`postroom filter`: anything unexpected is 75, so that the caller keeps the message and offers it again.

    Leaves by os._exit: an error while the interpreter is torn down would change the status (Postfix bounces on
    every status that it does not know).
    """
    import gc
    import os

    status = 75
    try:
        # Looking for pydantic's plugins reads the metadata of every installed package, once for each message.
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
        gc.disable()  # nothing that is imported becomes garbage; looking again and again costs a tenth of the start
        from postroom.cli.filter import run

        gc.freeze()
        gc.enable()
        status = run(arguments)
    except BaseException as error:
        explain(error)
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BaseException:  # noqa: S110 - nobody reads it; a kept message was written before this
                pass
        os._exit(status)


def explain(error: BaseException) -> None:
    """One sentence on standard error, led by the status that Postfix's pipe(8) looks for; never message content."""
    from contextlib import suppress

    with suppress(BaseException):
        ours = hasattr(error, "temporary") or isinstance(error, (ImportError, SystemExit))
        told = str(error) if ours else ""
        if isinstance(error, OSError) and error.strerror and isinstance(error.filename, str):
            told = f"{error.filename}: {error.strerror}"
        text = " ".join(told.split()) or type(error).__name__
        sys.stderr.write(f"4.3.0 postroom filter: {text}\n")
