import assert from "node:assert/strict";
import fc from "fast-check";
import { type DeviceStatus, publicKeyFromBytes, TunnelConfigError } from "../api.ts";
import { readConfig } from "../config.ts";
import { formatStatus } from "./format.ts";
import { KeyStore } from "./key_store.ts";
import { parseSet } from "./parse.ts";

const KEY = "c7".repeat(32);
const OTHER = "0a".repeat(32);
const peerKey = publicKeyFromBytes(Uint8Array.fromHex(KEY));
const bytes = (text: string) => new TextEncoder().encode(text);

function withStore<Result>(run: (store: KeyStore) => Result): Result {
  const store = new KeyStore();
  try {
    return run(store);
  } finally {
    store.close();
  }
}

Deno.test("every key of a set request", () =>
  withStore((store) => {
    const request = parseSet(
      bytes(`private_key=${OTHER}
listen_port=51820
fwmark=3735928559
replace_peers=true
public_key=${KEY}
update_only=true
preshared_key=${"5b".repeat(32)}
endpoint=[2001:db8::1]:51820
persistent_keepalive_interval=25
replace_allowed_ips=true
protocol_version=1
allowed_ip=10.0.0.0/8
allowed_ip=-192.168.4.0/24
allowed_ip=::/0
public_key=${OTHER}
remove=true
`),
      store,
    );
    const { identity, peers, ...device } = request.config;
    assert.deepEqual(device, { listenPort: 51820, fwmark: 3735928559, replacePeers: true });
    assert.ok(identity !== undefined && identity !== "none" && identity.kind === "local");
    assert.ok(request.privateKey !== undefined && request.privateKey !== "none");
    assert.equal(request.privateKey.bytes.toHex(), OTHER);
    assert.equal(identity.privateKey.address, request.privateKey.address);
    const stored = request.presharedKeys.get(peerKey);
    assert.ok(stored !== undefined && stored !== "none");
    assert.equal(stored.bytes.toHex(), "5b".repeat(32));
    const [first, second] = peers ?? [];
    assert.deepEqual(first, {
      publicKey: peerKey,
      updateOnly: true,
      presharedKey: { address: stored.address, length: 32 },
      endpoint: "[2001:db8::1]:51820",
      persistentKeepalive: 25,
      replaceAllowedIps: true,
      allowedIps: ["10.0.0.0/8", "::/0"],
      removeAllowedIps: ["192.168.4.0/24"],
    });
    assert.equal(second?.remove, true);
    assert.equal(readConfig(request.config).peers.length, 2);
  }));

Deno.test("keys of zeros take keys away", () =>
  withStore((store) => {
    const zeros = "00".repeat(32);
    const text = `private_key=${zeros}\npublic_key=${KEY}\npreshared_key=${zeros}\n`;
    const { config, privateKey, presharedKeys } = parseSet(bytes(text), store);
    assert.equal(config.identity, "none");
    assert.equal(privateKey, "none");
    assert.equal(presharedKeys.get(peerKey), "none");
    assert.equal(config.peers?.[0]?.presharedKey, "none");
  }));

Deno.test("what is not in the protocol is refused with the errno that it names", () =>
  withStore((store) => {
    const peer = `public_key=${KEY}\n`;
    const refused: readonly (readonly [string, string])[] = [
      ["nonsense\n", "EPROTO"],
      ["unknown=1\n", "EINVAL"],
      ["listen_port=65536\n", "EINVAL"],
      ["listen_port=-1\n", "EINVAL"],
      ["listen_port=1e3\n", "EINVAL"],
      ["listen_port=\n", "EINVAL"],
      ["fwmark=4294967296\n", "EINVAL"],
      ["replace_peers=false\n", "EINVAL"],
      ["private_key=00\n", "EINVAL"],
      [`private_key=${KEY}00\n`, "EINVAL"],
      [`private_key=${"0g".repeat(32)}\n`, "EINVAL"],
      [`preshared_key=${KEY}\n`, "EINVAL"],
      ["endpoint=1.2.3.4:5\n", "EINVAL"],
      ["public_key=abc\n", "EINVAL"],
      [`${peer}listen_port=1\n`, "EINVAL"],
      [`${peer}private_key=${KEY}\n`, "EINVAL"],
      [`${peer}endpoint=vpn.example:51820\n`, "EINVAL"],
      [`${peer}endpoint=1.2.3.4:65536\n`, "EINVAL"],
      [`${peer}endpoint=1.2.3.4:0\n`, "EINVAL"],
      [`${peer}endpoint=::1:5\n`, "EINVAL"],
      [`${peer}endpoint=[1.2.3.4]:5\n`, "EINVAL"],
      [`${peer}persistent_keepalive_interval=65536\n`, "EINVAL"],
      [`${peer}allowed_ip=10.0.0.0/33\n`, "EINVAL"],
      [`${peer}allowed_ip=10.0.0/8\n`, "EINVAL"],
      [`${peer}allowed_ip=fd00::/129\n`, "EINVAL"],
      [`${peer}allowed_ip=${"1".repeat(1000)}\n`, "EINVAL"],
      [`${peer}protocol_version=2\n`, "EINVAL"],
      [`${peer}update_only=1\n`, "EINVAL"],
    ];
    for (const [text, code] of refused) {
      assert.throws(
        () => readConfig(parseSet(bytes(text), store).config),
        (error) => error instanceof TunnelConfigError && error.code === code,
        text,
      );
    }
  }));

Deno.test("any bytes: a request or a typed refusal, and no secret left", () =>
  withStore((store) => {
    const words = fc.constantFrom(
      ...[
        "private_key",
        "public_key",
        "preshared_key",
        "endpoint",
        "allowed_ip",
        "remove",
        "=",
        "\n",
      ],
      ...[KEY, "true", "1.2.3.4:5", "10.0.0.0/8", "-", "\0", "é", "0"],
    );
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(words, { maxLength: 30 }).map((parts) => bytes(parts.join(""))),
    );
    fc.assert(
      fc.property(anything, (body) => {
        try {
          readConfig(parseSet(body, store).config);
        } catch (error) {
          assert.ok(error instanceof TunnelConfigError, String(error));
        }
      }),
      { numRuns: 3000 },
    );
  }));

Deno.test("status as text, with its secrets as digits", () => {
  const status: DeviceStatus = {
    ifname: "wg0",
    identity: "local",
    listenPort: 51820,
    fwmark: 7,
    mtu: 1420,
    crypto: "noble",
    offloads: { tun: false, udpSegment: false, udpGro: false },
    underLoad: false,
    cookiesSent: 0,
    drops: {} as DeviceStatus["drops"],
    peers: [{
      publicKey: peerKey,
      hasPresharedKey: true,
      endpoint: "192.0.2.1:51820",
      persistentKeepalive: 25,
      allowedIps: ["10.0.0.0/8", "::/0"],
      lastHandshake: 1_700_000_000_250,
      rxBytes: 148,
      txBytes: 92,
      sessionAlive: true,
    }],
  };
  const text = new TextDecoder().decode(formatStatus(status, {
    privateKey: Uint8Array.fromHex(OTHER),
    presharedKeyOf: () => Uint8Array.fromHex(KEY),
  }));
  assert.equal(
    text,
    `private_key=${OTHER}
listen_port=51820
fwmark=7
public_key=${KEY}
preshared_key=${KEY}
protocol_version=1
endpoint=192.0.2.1:51820
last_handshake_time_sec=1700000000
last_handshake_time_nsec=250000000
tx_bytes=92
rx_bytes=148
persistent_keepalive_interval=25
allowed_ip=10.0.0.0/8
allowed_ip=::/0
errno=0

`,
  );
  assert.doesNotMatch(
    new TextDecoder().decode(formatStatus(status)),
    /private_key|c7c7.*\npreshared_key=c7/,
  );
});
