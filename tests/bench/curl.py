"""What the server and the line give at best: curl processes side by side that only move objects, each on one connection."""
import hashlib
import os
import pathlib

import process
import rgw

OBJECT = 16 << 20
LONGEST_S = 600
UNSIGNED = "UNSIGNED-PAYLOAD"


class Pieces:
    """Files of 16 MiB, the content of a file cut, and their hashes."""

    def __init__(self, source, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.files = []
        with open(source, "rb") as file:
            while len(body := file.read(OBJECT)) == OBJECT:
                path = folder / f"{len(self.files):04d}"
                path.write_bytes(body)
                self.files.append((path, hashlib.sha256(body).hexdigest()))

    def read_all(self):
        for path, _ in self.files:
            path.read_bytes()


class Curl:
    """Transfers of `count` objects over `connections` connections.  The pieces come again when there are more objects."""

    def __init__(self, pieces, home, environment, endpoint, connections, count):
        self.pieces = pieces
        self.home = home
        self.environment = environment
        self.endpoint = endpoint
        self.connections = connections
        self.count = count
        self.bytes = count * OBJECT

    def put(self, signed):
        """signed: the signature covers each object's SHA-256, which the server then has to compute, too."""
        def options(number):
            path, digest = self.pieces.files[number % len(self.pieces.files)]
            return [("upload-file", path), ("output", "/dev/null"),
                    ("header", f"x-amz-content-sha256: {digest if signed else UNSIGNED}")]
        return self.run(options)

    def get(self, folder=None):
        """Into files of a folder, which is synced then; or to /dev/null."""
        def options(number):
            return [("output", folder / f"{number:04d}" if folder else "/dev/null"), ("header", f"x-amz-content-sha256: {UNSIGNED}")]
        return self.run(options, folder)

    def run(self, options, folder=None):
        lists = [self.write_configuration(n, options) for n in range(self.connections)]
        names = self.home / "curl.list"
        names.write_text("".join(f"{path}\n" for path in lists))
        script = 'xargs -a "$1" -P "$2" -n 1 curl -q --fail-early -K && { [ -z "$3" ] || sync -f "$3"; }'
        return process.run(["sh", "-c", script, "sh", names, str(self.connections), str(folder or "")], cwd=self.home,
                           env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.home)}, log=self.home / "curl.log")

    def write_configuration(self, connection, options):
        """What one process has to do.  Each transfer has all options of its own."""
        path = pathlib.Path(self.home / f"curl.{connection:03d}")
        transfers = []
        for number in range(connection, self.count, self.connections):
            settings = [*self.common(), *options(number), ("url", f"{self.endpoint}/{rgw.BUCKET}/curl/{number:04d}")]
            transfers.append("silent\nshow-error\nfail\n" + "".join(f'{name} = "{value}"\n' for name, value in settings))
        path.write_text("next\n".join(transfers))
        return path

    def common(self):
        of = self.environment
        return [("aws-sigv4", f"aws:amz:{of['AWS_REGION']}:s3"), ("user", f"{of['AWS_ACCESS_KEY_ID']}:{of['AWS_SECRET_ACCESS_KEY']}"),
                ("max-time", LONGEST_S)]
