import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { boxCertificate, type CertificateConfig } from "./box_certificate.ts";

const NOW = Date.parse("2026-03-01T00:00:00Z");
const DAY = 86_400_000;

async function withDir(run: (config: CertificateConfig, dir: string) => Promise<void>) {
  const dir = await Deno.makeTempDir();
  try {
    await run({
      name: "gateway-1",
      state: `${dir}/state`,
      lan: { interface: "lan0", address: "192.168.80.1/24", address6: "fd80::1/64" },
      panel: { host: "192.168.80.1", port: 8443 },
    }, dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function openssl(args: string[], input = ""): Promise<{ code: number; text: string }> {
  const child = new Deno.Command("openssl", {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, text: decode(stdout) + decode(stderr) };
}

Deno.test("box certificate: openssl accepts the chain for every name and address of the box", () =>
  withDir(async (config, dir) => {
    const box = await boxCertificate(config, NOW);
    await Deno.writeTextFile(`${dir}/ca.pem`, box.authority);
    await Deno.writeTextFile(`${dir}/server.pem`, box.chain);
    const verify = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", `${dir}/ca.pem`];
    const at = ["-attime", String(NOW / 1000)];
    const checks = [
      ...["sekisho.internal", "gateway-1.internal"].map((name) => ["-verify_hostname", name]),
      ...["192.168.80.1", "fd80::1"].map((address) => ["-verify_ip", address]),
    ];
    for (const check of checks) {
      const { code, text } = await openssl([...verify, ...at, ...check, `${dir}/server.pem`]);
      assert.equal(code, 0, `${check}: ${text}`);
    }
    const wrong = await openssl([
      ...[...verify, ...at, "-verify_hostname", "bank.example", `${dir}/server.pem`],
    ]);
    assert.notEqual(wrong.code, 0);
    const shown = (await openssl(["x509", "-noout", "-text"], box.authority)).text;
    assert.match(shown, /CA:TRUE, pathlen:0/);
    assert.match(shown, /Certificate Sign, CRL Sign/);
    assert.match(shown, /Permitted:\s+DNS:internal/);
    assert.equal(box.expires, NOW + 397 * DAY);
  }));

Deno.test("box certificate: the authority is worth nothing for a public name", () =>
  withDir(async (config, dir) => {
    const box = await boxCertificate(config, NOW);
    const key = `${config.state}/tls/authority.key`;
    const file = (name: string) => `${dir}/${name}`;
    await Deno.writeTextFile(file("ca.pem"), box.authority);
    await Deno.writeTextFile(file("ext"), "subjectAltName=DNS:bank.example,IP:192.0.2.1");
    await openssl([
      ...["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-subj", "/CN=bank.example", "-keyout", file("k"), "-out", file("csr")],
    ]);
    const signed = await openssl([
      ...["x509", "-req", "-in", file("csr"), "-CA", file("ca.pem"), "-CAkey", key],
      ...["-CAcreateserial", "-days", "30", "-extfile", file("ext"), "-out", file("evil.pem")],
    ]);
    assert.equal(signed.code, 0, signed.text);
    const { code, text } = await openssl(["verify", "-CAfile", file("ca.pem"), file("evil.pem")]);
    assert.notEqual(code, 0);
    assert.match(text, /permitted subtree violation/);
  }));

Deno.test("box certificate: kept as long as it is good, renewed before it ends", () =>
  withDir(async (config) => {
    const first = await boxCertificate(config, NOW);
    assert.deepEqual(await boxCertificate(config, NOW + 300 * DAY), first);
    const renewed = await boxCertificate(config, NOW + 350 * DAY);
    assert.equal(renewed.authority, first.authority, "terminals go on trusting it");
    assert.notEqual(renewed.chain, first.chain);
    const late = await boxCertificate(config, NOW + 3600 * DAY);
    assert.notEqual(late.authority, first.authority);
    for (const name of ["authority.key", "server.key"]) {
      const { mode } = await Deno.stat(`${config.state}/tls/${name}`);
      assert.equal((mode ?? 0) & 0o777, 0o600, name);
    }
    assert.equal(((await Deno.stat(`${config.state}/tls`)).mode ?? 0) & 0o777, 0o700);
  }));

Deno.test("box certificate: another address gets another certificate under the same authority", () =>
  withDir(async (config) => {
    const first = await boxCertificate(config, NOW);
    const moved = { ...config, lan: { ...config.lan, address: "10.9.0.1/24" } };
    const second = await boxCertificate(moved, NOW);
    assert.equal(second.authority, first.authority);
    assert.equal(new X509Certificate(second.chain).checkIP("10.9.0.1"), "10.9.0.1");
    const odd = { ...config, lan: { ...config.lan, address: "198.51.100.1/24" } };
    const third = await boxCertificate(odd, NOW);
    assert.notEqual(third.authority, first.authority, "its limits don't cover that network");
    assert.deepEqual(await boxCertificate(odd, NOW), third);
  }));

Deno.test("box certificate: a panel elsewhere is one address among the authority's limits", () =>
  withDir(async (config) => {
    for (const host of ["127.0.0.1", "198.51.100.7", "2001:db8::7", "0.0.0.0"]) {
      const moved = { ...config, state: `${config.state}-${host}`, panel: { host, port: 8443 } };
      const { authority } = await boxCertificate(moved, NOW);
      const shown = (await openssl(["x509", "-noout", "-text"], authority)).text;
      assert.doesNotMatch(shown, /invalid/, host);
      const full = host.includes(":") ? /IP:2001:DB8.*\/FFFF(:FFFF){7}/ : /\/255\.255\.255\.255/;
      assert.equal(full.test(shown), host !== "0.0.0.0", host);
      assert.equal((await boxCertificate(moved, NOW)).authority, authority, "and is kept");
    }
  }));

Deno.test("box certificate: damaged files are made anew, a foreign key is noticed", () =>
  withDir(async (config) => {
    const first = await boxCertificate(config, NOW);
    await Deno.writeTextFile(`${config.state}/tls/server.crt`, first.chain.slice(0, 200));
    const second = await boxCertificate(config, NOW);
    assert.notEqual(second.chain, first.chain);
    assert.equal(second.authority, first.authority);
    await Deno.copyFile(`${config.state}/tls/server.key`, `${config.state}/tls/authority.key`);
    const third = await boxCertificate(config, NOW);
    assert.notEqual(third.authority, first.authority);
    assert.ok(new X509Certificate(third.chain).checkIssued(new X509Certificate(third.authority)));
  }));
