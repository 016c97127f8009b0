"""Cut a whole file into its physical lines, the last one completed: what a PBX appends one after the other."""


def physical_lines(content: bytes) -> list[bytes]:
    """The lines with their ends (LF, CRLF or CR); a last line without one gets LF."""
    lines = content.splitlines(keepends=True)
    if lines and not lines[-1].endswith((b"\n", b"\r")):
        lines[-1] += b"\n"
    return lines
