"""Check the installed packages against the advisories that PyPI knows: `make audit`.

Takes what `pip-audit --format json` prints on standard input.
"""

import json
import sys


def main():
    packages = json.load(sys.stdin)["dependencies"]
    answered = [package for package in packages if "vulns" in package]
    found = [package for package in answered if package["vulns"]]
    for package in found:
        for known in package["vulns"]:
            mended = ", ".join(known["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {known['id']}, mended in {mended}")
    print(f"{len(answered)} of {len(packages)} packages audited, {len(found)} with advisories")
    if not answered:
        print("the index answers for none of them, so nothing is known")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
