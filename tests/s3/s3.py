#!/usr/bin/env python3
"""A small S3 client, independent of snapferry's: tests ask it what really lies in a bucket, and prepare buckets with it.

    s3.py COMMAND ...       s3.py --help, s3.py COMMAND --help

Endpoint, region and credentials come from AWS_ENDPOINT_URL_S3 (http or https), AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_SESSION_TOKEN and AWS_CA_BUNDLE, or from --endpoint, --env FILE (as rgw.sh writes it).  Exit status: 0, or 1 with
"STATUS CODE" on standard error when the server refuses.  Only the standard library is used; addressing is by path.
"""
import argparse
import base64
import datetime
import hashlib
import hmac
import http.client
import json
import os
import ssl
import sys
import urllib.parse
import xml.etree.ElementTree


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def encoded(text, safe=""):
    return urllib.parse.quote(text, safe=safe + "-._~")


class Refused(Exception):
    """A reply that is no success."""

    def __init__(self, reply):
        super().__init__("%d %s" % (reply.status, reply.code))
        self.status, self.code = reply.status, reply.code


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = {k.lower(): v for k, v in response.getheaders()}
        self.body = response.read()

    @property
    def code(self):
        """What S3 calls the error, or ""."""
        found = self.texts("Code")
        return found[0] if found else ""

    def texts(self, tag):
        """The texts of all XML elements with this name, whatever their namespace."""
        return [e.text or "" for e in self.elements(tag)]

    def elements(self, tag):
        try:
            root = xml.etree.ElementTree.fromstring(self.body)
        except xml.etree.ElementTree.ParseError:
            return []
        return [e for e in root.iter() if e.tag.rpartition("}")[2] == tag]


def child(element, tag, default=""):
    for e in element:
        if e.tag.rpartition("}")[2] == tag:
            return e.text or ""
    return default


class S3:
    def __init__(self, endpoint=None, key=None, secret=None, token=None, region=None, ca=None, env=os.environ):
        url = urllib.parse.urlsplit(endpoint or env["AWS_ENDPOINT_URL_S3"])
        self.tls, self.host, self.port = url.scheme == "https", url.hostname, url.port
        self.key, self.secret = key or env["AWS_ACCESS_KEY_ID"], secret or env["AWS_SECRET_ACCESS_KEY"]
        self.token = token or (None if key else env.get("AWS_SESSION_TOKEN"))
        self.region = region or env.get("AWS_REGION") or "us-east-1"
        self.ca = ca or env.get("AWS_CA_BUNDLE")
        self.connection = None

    # Signature version 4, https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
    def signed(self, method, path, query, headers, body, service):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        headers = {k.lower(): v for k, v in headers.items()}
        headers.update({"host": self.authority(), "x-amz-date": now})
        headers.setdefault("x-amz-content-sha256", sha256(body))
        if self.token:
            headers["x-amz-security-token"] = self.token
        names = ";".join(sorted(headers))
        lines = "".join("%s:%s\n" % (k, " ".join(headers[k].split())) for k in sorted(headers))
        request = "\n".join([method, path, query, lines, names, headers["x-amz-content-sha256"]])
        scope = "%s/%s/%s/aws4_request" % (now[:8], self.region, service)
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, sha256(request.encode())])
        key = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            key = mac(key, part)
        headers["authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
            self.key, scope, names, mac(key, text).hex())
        return headers

    def authority(self):
        return self.host if self.port is None else "%s:%d" % (self.host, self.port)

    def connect(self):
        if self.tls:
            context = ssl.create_default_context(cafile=self.ca)
            return http.client.HTTPSConnection(self.host, self.port, timeout=60, context=context)
        return http.client.HTTPConnection(self.host, self.port, timeout=60)

    def send(self, method, target, headers, body):
        """Once more when a connection that was kept has been closed meanwhile."""
        fresh = self.connection is None
        self.connection = self.connection or self.connect()
        try:
            self.connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for k, v in headers.items():
                self.connection.putheader(k, v)
            if body or method in ("PUT", "POST"):
                self.connection.putheader("content-length", str(len(body)))
            self.connection.endheaders(body)
            return Reply(self.connection.getresponse())
        except (http.client.HTTPException, OSError):
            self.connection.close()
            self.connection = None
            if fresh:
                raise
            return self.send(method, target, headers, body)

    def request(self, method, path="/", query=(), headers=None, body=b"", service="s3", good=range(200, 300)):
        """A signed request; good: which statuses are no error (None: all)."""
        pairs = query.items() if isinstance(query, dict) else query
        query = "&".join("%s=%s" % p for p in sorted((encoded(k), encoded(v)) for k, v in pairs))
        path = encoded(path, "/")
        headers = self.signed(method, path, query, headers or {}, body, service)
        reply = self.send(method, path + ("?" + query if query else ""), headers, body)
        if good is not None and reply.status not in good:
            raise Refused(reply)
        return reply

    # Objects.  headers: for instance those of SSE-C or of conditions.
    def put(self, bucket, key, body, headers=None):
        return self.request("PUT", "/%s/%s" % (bucket, key), headers=headers, body=body)

    def get(self, bucket, key, headers=None, version=None):
        return self.request("GET", "/%s/%s" % (bucket, key), {"versionId": version} if version else (), headers).body

    def head(self, bucket, key, headers=None):
        return self.request("HEAD", "/%s/%s" % (bucket, key), headers=headers).headers

    def delete(self, bucket, key, version=None, headers=None):
        return self.request("DELETE", "/%s/%s" % (bucket, key), {"versionId": version} if version else (), headers)

    def list(self, bucket, prefix="", page=1000):
        """(key, size) of every object, in the server's order."""
        query = {"list-type": "2", "prefix": prefix, "max-keys": str(page), "encoding-type": "url"}
        while True:
            reply = self.request("GET", "/" + bucket, query)
            for e in reply.elements("Contents"):
                yield urllib.parse.unquote(child(e, "Key")), int(child(e, "Size"))
            token = reply.texts("NextContinuationToken")
            if not token:
                return
            query["continuation-token"] = token[0]

    def versions(self, bucket, prefix=""):
        """(key, version, size or -1 for a delete marker) of everything that a versioned bucket still has."""
        query = {"versions": "", "prefix": prefix}
        while True:
            reply = self.request("GET", "/" + bucket, query)
            for tag in ("Version", "DeleteMarker"):
                for e in reply.elements(tag):
                    yield child(e, "Key"), child(e, "VersionId"), int(child(e, "Size", "-1"))
            if reply.texts("IsTruncated") != ["true"]:
                return
            query["key-marker"] = reply.texts("NextKeyMarker")[0]
            query["version-id-marker"] = reply.texts("NextVersionIdMarker")[0]

    def uploads(self, bucket):
        """(key, upload id) of multipart uploads that nobody has finished."""
        for e in self.request("GET", "/" + bucket, {"uploads": ""}).elements("Upload"):
            yield child(e, "Key"), child(e, "UploadId")

    def empty(self, bucket, prefix=""):
        for key, _ in list(self.list(bucket, prefix)):
            self.delete(bucket, key)

    # Buckets
    def make_bucket(self, bucket, lock=False, versioning=False):
        self.request("PUT", "/" + bucket, headers={"x-amz-bucket-object-lock-enabled": "true"} if lock else None)
        if versioning:
            self.versioning(bucket, "Enabled")

    def delete_bucket(self, bucket, contents=False):
        if contents:
            self.empty(bucket)
            for key, version, _ in list(self.versions(bucket)):
                self.delete(bucket, key, version, {"x-amz-bypass-governance-retention": "true"})
        self.request("DELETE", "/" + bucket)

    def configure(self, bucket, what, body):
        md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
        return self.request("PUT", "/" + bucket, {what: ""}, {"content-md5": md5}, body)

    def versioning(self, bucket, status):
        self.configure(bucket, "versioning", b"<VersioningConfiguration><Status>%s</Status></VersioningConfiguration>" %
                       status.encode())

    def default_retention(self, bucket, mode, days):
        self.configure(bucket, "object-lock", (
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>%s</Mode>"
            "<Days>%d</Days></DefaultRetention></Rule></ObjectLockConfiguration>" % (mode, days)).encode())

    # Ceph's admin interface
    def admin(self, method, what, **query):
        return self.request(method, "/admin/" + what, query)

    def quota(self, user, size, objects):
        """A limit for each bucket of a user; negative: none."""
        self.admin("PUT", "user", **{
            "quota": "", "uid": user, "quota-type": "bucket", "enabled": "true" if size >= 0 or objects >= 0 else "false",
            "max-size": str(size), "max-objects": str(objects)})

    # STS and IAM
    def query_api(self, service, **parameters):
        body = urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote).encode()
        return self.request("POST", "/", headers={"content-type": "application/x-www-form-urlencoded"}, body=body, service=service)

    def allow_tokens(self, user):
        """Ceph lets nobody have session tokens who is not allowed to."""
        allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:GetSessionToken", "Resource": "*"}]}
        self.query_api("iam", Action="PutUserPolicy", UserName=user, PolicyName="tokens", PolicyDocument=json.dumps(allow))

    def session_token(self, seconds):
        return self.query_api("sts", Action="GetSessionToken", DurationSeconds=str(seconds), Version="2011-06-15")

    def make_role(self, role, user):
        trust = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/" + user]}, "Action": ["sts:AssumeRole"]}]}
        allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*"}]}
        self.query_api("iam", Action="CreateRole", RoleName=role, Path="/", AssumeRolePolicyDocument=json.dumps(trust))
        self.query_api("iam", Action="PutRolePolicy", RoleName=role, PolicyName="all", PolicyDocument=json.dumps(allow))

    def assume_role(self, role, seconds):
        return self.query_api("sts", Action="AssumeRole", RoleArn="arn:aws:iam:::role/" + role, RoleSessionName="test",
                              DurationSeconds=str(seconds), Version="2011-06-15")


# A bucket policy for another user, by what it may do.
ACTIONS = {
    "read": ["s3:GetObject", "s3:ListBucket"],
    "append": ["s3:GetObject", "s3:ListBucket", "s3:PutObject"],
    "write": ["s3:PutObject"],
    "all": ["s3:*"],
}


def policy_for(bucket, user, may):
    return json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/" + user]}, "Action": ACTIONS[may],
        "Resource": ["arn:aws:s3:::" + bucket, "arn:aws:s3:::%s/*" % bucket]}]}).encode()


def read_env(path):
    found = {}
    with open(path) as f:
        for line in f:
            name, equals, value = line.strip().removeprefix("export ").partition("=")
            if equals:
                found[name] = value.strip("'")
    return found


def exports(reply):
    names = (("AWS_ACCESS_KEY_ID", "AccessKeyId"), ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"), ("AWS_SESSION_TOKEN", "SessionToken"))
    return "".join("export %s='%s'\n" % (name, reply.texts(tag)[0]) for name, tag in names)


def headers_of(arguments):
    return dict(h.split(":", 1) for h in arguments.header)


def body_of(name):
    if name == "-":
        return sys.stdin.buffer.read()
    with open(name, "rb") as f:
        return f.read()


def cmd_make_bucket(s3, a):
    s3.make_bucket(a.bucket, a.lock, a.versioning)


def cmd_delete_bucket(s3, a):
    s3.delete_bucket(a.bucket, a.contents)


def cmd_put(s3, a):
    s3.put(a.bucket, a.key, body_of(a.file), headers_of(a))


def cmd_get(s3, a):
    body = s3.get(a.bucket, a.key, headers_of(a), a.version)
    if a.file == "-":
        sys.stdout.buffer.write(body)
    else:
        with open(a.file, "wb") as f:
            f.write(body)


def cmd_head(s3, a):
    for name, value in sorted(s3.head(a.bucket, a.key, headers_of(a)).items()):
        print("%s: %s" % (name, value))


def cmd_list(s3, a):
    if a.versions:
        for key, version, size in s3.versions(a.bucket, a.prefix):
            print(size, key, version)
    else:
        for key, size in s3.list(a.bucket, a.prefix):
            print(size, key)


def cmd_uploads(s3, a):
    for key, upload in s3.uploads(a.bucket):
        print(key, upload)


def cmd_delete(s3, a):
    s3.delete(a.bucket, a.key, a.version, headers_of(a))


def cmd_empty(s3, a):
    s3.empty(a.bucket, a.prefix)


def cmd_versioning(s3, a):
    s3.versioning(a.bucket, a.status)


def cmd_lock(s3, a):
    s3.default_retention(a.bucket, a.mode, a.days)


def cmd_policy(s3, a):
    if a.may == "none":
        s3.request("DELETE", "/" + a.bucket, {"policy": ""})
    else:
        s3.configure(a.bucket, "policy", policy_for(a.bucket, a.user, a.may))


def cmd_policies(s3, a):
    """Policies of identities, for which BUCKET and PREFIX stand, as the bucket's one policy."""
    statements = []
    for user, file in zip(a.policies[::2], a.policies[1::2]):
        with open(file) as f:
            text = f.read().replace("BUCKET", a.bucket).replace("PREFIX", a.prefix)
        for statement in json.loads(text)["Statement"]:
            statement["Sid"] = user + statement["Sid"]
            statements.append({**statement, "Principal": {"AWS": ["arn:aws:iam:::user/" + user]}})
    s3.configure(a.bucket, "policy", json.dumps({"Version": "2012-10-17", "Statement": statements}).encode())


def cmd_user(s3, a):
    s3.admin("PUT", "user", **{"uid": a.name, "display-name": a.name, "access-key": a.key, "secret-key": a.secret})
    print("export AWS_ACCESS_KEY_ID='%s'\nexport AWS_SECRET_ACCESS_KEY='%s'" % (a.key, a.secret))


def cmd_suspend(s3, a):
    s3.admin("POST", "user", uid=a.name, suspended="false" if a.resume else "true")


def cmd_quota(s3, a):
    s3.quota(a.user, a.bytes, a.objects)


def cmd_session_token(s3, a):
    s3.allow_tokens(a.user)
    sys.stdout.write(exports(s3.session_token(a.seconds)))


def cmd_make_role(s3, a):
    s3.make_role(a.role, a.user)


def cmd_assume_role(s3, a):
    sys.stdout.write(exports(s3.assume_role(a.role, a.seconds)))


def parser():
    p = argparse.ArgumentParser(description="A small S3 client for tests.")
    p.add_argument("--endpoint", help="URL; default AWS_ENDPOINT_URL_S3")
    p.add_argument("--env", help="a file with AWS_... variables instead of the environment")
    commands = p.add_subparsers(required=True, metavar="COMMAND")

    def command(function, text, *positional):
        c = commands.add_parser(function.__name__[4:].replace("_", "-"), help=text)
        c.set_defaults(function=function)
        for name in positional:
            c.add_argument(name)
        return c

    c = command(cmd_make_bucket, "make a bucket", "bucket")
    c.add_argument("--lock", action="store_true", help="with object lock (and versioning)")
    c.add_argument("--versioning", action="store_true")
    c = command(cmd_delete_bucket, "remove a bucket", "bucket")
    c.add_argument("--contents", action="store_true", help="and all that is in it")
    command(cmd_put, "store FILE (- for standard input)", "bucket", "key", "file")
    c = command(cmd_get, "print an object, or write it to FILE", "bucket", "key")
    c.add_argument("file", nargs="?", default="-")
    command(cmd_head, "print an object's headers", "bucket", "key")
    c = command(cmd_list, "print SIZE KEY of every object", "bucket")
    c.add_argument("prefix", nargs="?", default="")
    c.add_argument("--versions", action="store_true", help="print SIZE KEY VERSION; size -1 is a delete marker")
    command(cmd_uploads, "print unfinished multipart uploads", "bucket")
    command(cmd_delete, "delete an object", "bucket", "key")
    c = command(cmd_empty, "delete all objects", "bucket")
    c.add_argument("prefix", nargs="?", default="")
    for name in ("put", "get", "head", "delete"):
        commands.choices[name].add_argument("-H", "--header", action="append", default=[], help="NAME:VALUE")
    for name in ("get", "delete"):
        commands.choices[name].add_argument("--version")
    c = command(cmd_versioning, "switch versioning", "bucket")
    c.add_argument("status", choices=("Enabled", "Suspended"))
    c = command(cmd_lock, "set the default retention of a bucket", "bucket")
    c.add_argument("mode", choices=("GOVERNANCE", "COMPLIANCE"))
    c.add_argument("days", type=int)
    c = command(cmd_policy, "let another user into a bucket, or nobody", "bucket", "user")
    c.add_argument("may", choices=(*ACTIONS, "none"))
    c = command(cmd_policies, "let users in as policy files say, in which BUCKET and PREFIX are replaced", "bucket", "prefix")
    c.add_argument("policies", nargs="+", metavar="USER FILE")
    command(cmd_user, "make a user, and print its environment", "name", "key", "secret")
    c = command(cmd_suspend, "suspend a user", "name")
    c.add_argument("--resume", action="store_true")
    c = command(cmd_quota, "limit each bucket of a user; -1: no limit", "user")
    c.add_argument("bytes", type=int)
    c.add_argument("objects", type=int)
    c = command(cmd_session_token, "print the environment of a temporary session; USER is who asks", "user")
    c.add_argument("--seconds", type=int, default=3600)
    command(cmd_make_role, "make a role that USER may assume and that may do everything in S3", "role", "user")
    c = command(cmd_assume_role, "print the environment of a role's session", "role")
    c.add_argument("--seconds", type=int, default=3600)
    return p


def main():
    a = parser().parse_args()
    env = {**os.environ, **read_env(a.env)} if a.env else os.environ
    try:
        a.function(S3(a.endpoint, env=env), a)
    except Refused as e:
        sys.exit(str(e))


if __name__ == "__main__":
    main()
