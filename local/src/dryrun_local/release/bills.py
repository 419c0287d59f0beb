"""Bills of materials (CycloneDX 1.6, JSON) of the services and of the images."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from uuid import NAMESPACE_OID, UUID, uuid5

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from dryrun_local.images.folders import SERVICE_IMAGES, ImageFolder
from dryrun_local.release.debian_packages import DebianPackage, ReadImage
from dryrun_local.release.pinned_packages import read_pins, read_vendored
from dryrun_local.release.source import Source
from dryrun_local.release.wheels import Wheel

_PRODUCT = "discovery-dry-run"


def bill_of_services(
    source: Source, folders: Mapping[str, ImageFolder], wheels: Mapping[str, Wheel], tree: Path
) -> str:
    """Return what each service is made of: this project's wheels, Python packages and browser files."""
    bill = _Bill(source, f"{_PRODUCT}-services")
    for folder in folders.values():
        if folder.path.parent.match(SERVICE_IMAGES) and folder.manifest.python is not None:
            name = folder.manifest.image.removeprefix("discovery/").partition(":")[0]
            (service,) = (wheel for wheel in wheels.values() if wheel.distribution == name)
            bill.add_to_product(_own_component(service), _python_parts(bill, [folder], wheels, tree))
    return bill.text()


def bill_of_images(
    source: Source,
    folders: Mapping[str, ImageFolder],
    images: Mapping[str, ReadImage],
    wheels: Mapping[str, Wheel],
    tree: Path,
) -> str:
    """Return what each image holds: Debian packages, Python packages, this project's wheels."""
    bill = _Bill(source, f"{_PRODUCT}-images")
    for name, image in images.items():
        folder = folders[name]
        parts = [bill.add(_debian_component(each, image.distribution)) for each in image.packages]
        parts += _python_parts(bill, _with_ancestors(folder, folders), wheels, tree)
        title, _, tag = folder.manifest.image.partition(":")
        component = Component(
            name=title,
            version=tag,
            type=ComponentType.CONTAINER,
            bom_ref=folder.manifest.image,
            description=folder.manifest.summary,
            # The engine's image ID, which the allowlist pins.
            hashes=[_sha256(image.id.removeprefix("sha256:"))],
        )
        bill.add_to_product(component, parts)
    return bill.text()


class _Bill:
    """A document under construction: every component once, and what each is made of."""

    def __init__(self, source: Source, name: str) -> None:
        self._product = Component(
            name=name, version=source.version, type=ComponentType.APPLICATION, bom_ref=name
        )
        self._source = source
        self._components: dict[str, Component] = {}
        self._parts: dict[str, set[str]] = {}
        self._product_parts: set[str] = set()

    def add(self, component: Component, parts: Iterable[Component] = ()) -> Component:
        reference = str(component.bom_ref.value)
        known = self._components.setdefault(reference, component)
        self._parts.setdefault(reference, set()).update(
            str(part.bom_ref.value) for part in parts if part is not known
        )
        return known

    def add_to_product(self, component: Component, parts: Iterable[Component]) -> None:
        self.add(component, parts)
        self._product_parts.add(str(component.bom_ref.value))

    def text(self) -> str:
        # The number follows from the content, where CycloneDX has a random one: the same bytes twice.
        draft = self._text(UUID(int=0))
        return self._text(uuid5(NAMESPACE_OID, f"{self._source.commit}\n{draft}"))

    def _text(self, number: UUID) -> str:
        bom = Bom(
            components=self._components.values(),
            metadata=BomMetaData(component=self._product, timestamp=self._source.committed),
            serial_number=number,
        )
        bom.register_dependency(self._product, self._named(self._product_parts))
        for reference, component in self._components.items():
            bom.register_dependency(component, self._named(self._parts[reference]))
        return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1) + "\n"

    def _named(self, references: Iterable[str]) -> list[Component]:
        return [self._components[reference] for reference in references]


def _python_parts(
    bill: _Bill, lineage: Iterable[ImageFolder], wheels: Mapping[str, Wheel], tree: Path
) -> list[Component]:
    vendored = read_vendored(tree / "setup" / "assets.tsv")
    parts = []
    for folder in lineage:
        python = folder.manifest.python
        if python is None:
            continue
        if python.requirements is not None:
            for pin in read_pins(tree / python.requirements):
                url = PackageURL("pypi", None, pin.name, pin.version)
                hashes = [_sha256(each) for each in pin.hashes]
                parts.append(bill.add(_library(url, hashes=hashes)))
        for package in python.packages:
            files = [
                bill.add(
                    _library(
                        PackageURL("npm", *_npm_name(each.name), each.version),
                        hashes=[_sha256(value) for value in each.hashes],
                        licence=each.licence,
                    )
                )
                for each in vendored
                if each.folder == package
            ]
            parts.append(bill.add(_own_component(wheels[package]), files))
    return parts


def _own_component(wheel: Wheel) -> Component:
    url = PackageURL("pypi", None, wheel.distribution, wheel.version, {"file_name": wheel.file})
    return _library(url, hashes=[_sha256(wheel.sha256)], licence="Apache-2.0")


def _debian_component(package: DebianPackage, distribution: str) -> Component:
    system = distribution.partition("-")[0]
    qualifiers = {"arch": package.architecture, "distro": distribution}
    if package.source != package.name:
        qualifiers["upstream"] = package.source
    return _library(PackageURL("deb", system, package.name, package.version, qualifiers))


def _library(url: PackageURL, *, hashes: Iterable[HashType] = (), licence: str | None = None) -> Component:
    return Component(
        name=url.name,
        group=url.namespace,
        version=url.version,
        type=ComponentType.LIBRARY,
        bom_ref=url.to_string(),
        purl=url,
        hashes=hashes,
        licenses=[DisjunctiveLicense(id=licence)] if licence else (),
    )


def _npm_name(name: str) -> tuple[str | None, str]:
    scope, _, short = name.rpartition("/")
    return scope or None, short


def _sha256(value: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=value)


def _with_ancestors(folder: ImageFolder, folders: Mapping[str, ImageFolder]) -> list[ImageFolder]:
    found = [folder]
    for parent in folder.manifest.parents:
        found += _with_ancestors(folders[parent], folders)
    return found
