"""``natalia-image``: build the appliance's disk, export it, list what it is made of, verify a release.

Exit status 0 ok; 1 refused, with ``error[code]: message`` and ``hint: …`` on stderr, or a check that is NOT OK; 2 wrong
usage. ``verify`` needs neither root nor a network.
"""

import shutil
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Final

import click
from cryptography import x509

from image.build import PROJECT, Disk, build
from image.clock import now
from image.errors import ImageError, SigningKeyError
from image.export import Package, export
from image.release import file_name
from image.run import Runner
from image.sbom import Inventory, take_inventory
from image.signing import Signer, development_signer, load_signer
from image.tools_tree import ToolsTree
from image.verify import verify

_FOLDER: Final = PROJECT / "build"
_VERSION: Final = version_of("natalia-appliance")
_output = click.option(
    "--output", type=click.Path(path_type=Path), default=_FOLDER, show_default="build", help="Where releases go."
)
_version = click.option("--version", "name", default=_VERSION, show_default=True, help="The release's version.")


class _Refusing(click.Group):
    """Turns our errors into two lines and status 1."""

    def invoke(self, context: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(context)
        except ImageError as error:
            click.echo(f"error[{error.code}]: {error}\nhint: {error.hint}", err=True)
            context.exit(1)


@click.group(cls=_Refusing)
@click.version_option(_VERSION)
def main() -> None:
    """Build the appliance's disk image, export it in every format, and verify a release."""


@main.command("build")
@_output
def build_command(output: Path) -> None:
    """Build the disk, unsigned and reproducible, below OUTPUT/image. Needs root."""
    tree, runner = _tools(output)
    click.echo(build(output / "image", tree=tree, runner=runner).raw)


@main.command("export")
@_output
@_version
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False), help="RSA key to sign with, PEM.")
@click.option("--certificate", type=click.Path(path_type=Path, dir_okay=False), help="Its certificate, PEM.")
@click.option("--unsigned", is_flag=True, help="Leave signatures out, to compare with a release by its bytes.")
def export_command(*, output: Path, name: str, key: Path | None, certificate: Path | None, unsigned: bool) -> None:
    """Write the built disk in every format, with sums, bills of materials and signature. Needs root.

    Without --key a development key is made below OUTPUT/image/signing, and its certificate says so.
    """
    if (key is None) != (certificate is None) or (unsigned and key):
        raise click.UsageError("give --key and --certificate together, and not with --unsigned")
    tree, runner = _tools(output)
    inventory = _inventory(output, tree)
    signer = None if unsigned else _signer(output, key, certificate)
    package = Package(
        version=name, signer=signer, package_set=inventory.package_set, documents=inventory.documents(name)
    )
    for path in export(Disk(output / "image/stage/disk"), output, package, tree=tree, runner=runner):
        click.echo(path)


@main.command("sbom")
@_output
@_version
def sbom_command(output: Path, name: str) -> None:
    """Write the built disk's bills of materials, held against the files in it, both ways. Needs root."""
    tree, _ = _tools(output)
    inventory = _inventory(output, tree)
    for suffix, text in inventory.documents(name).items():
        path = output / file_name(name, suffix)
        path.write_text(text, "utf-8")
        click.echo(path)
    shipped = len(inventory.packages) - len(inventory.gone)
    click.echo(f"{shipped} packages, and {len(inventory.gone)} of which nothing is left; every file is accounted for")


@main.command("verify")
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--signer",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Certificate, PEM, of who must have signed. Without it, the one beside FILE: compare its fingerprint.",
)
@click.option(
    "--rebuild",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of your own export --unsigned: the release has to be the same but for signatures.",
)
def verify_command(file: Path, signer: Path | None, rebuild: Path | None) -> None:
    """Check FILE of a release, or every file when FILE is the folder or its SHA256SUMS. One line a check."""
    checks = verify(file, signer=_certificate(signer) if signer else None, rebuild=rebuild)
    for check in checks:
        click.echo(check.line())
    if not all(check.ok for check in checks):
        sys.exit(1)


def _tools(output: Path) -> tuple[ToolsTree, Runner]:
    runner = Runner(output / "image/build.log", click.echo)
    tree = ToolsTree(output / "image", runner)
    tree.ensure()
    return tree, runner


def _inventory(output: Path, tree: ToolsTree) -> Inventory:
    work = output / "image/inventory"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        return take_inventory(Disk(output / "image/stage/disk"), output / "image/stage", work, tree=tree)
    finally:
        shutil.rmtree(work)


def _signer(output: Path, key: Path | None, certificate: Path | None) -> Signer:
    if key and certificate:
        return load_signer(key, certificate)
    return development_signer(output / "image/signing", now=now())


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        raise SigningKeyError(f"{path.name}: not a certificate") from None
