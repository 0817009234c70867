/** Text that comes from outside: configuration requests, endpoints, allowed IPs. */
import assert from "node:assert/strict";
import { formatAddress, formatNetwork, parseAddress, parseNetwork } from "../../os/ip_network.ts";
import { LONGEST_INBOUND_RULE, parseInboundRule } from "../../token/profile/inbound.ts";
import { formatEndpoint, formatPrefix, parseEndpoint, parsePrefix } from "../../tunnel/address.ts";
import { TunnelConfigError } from "../../tunnel/api.ts";
import { readConfig } from "../../tunnel/config.ts";
import { KeyStore } from "../../tunnel/uapi/key_store.ts";
import { parseSet } from "../../tunnel/uapi/parse.ts";
import type { FuzzTarget } from "./target.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
/** Settings that a refusal may name. */
const NAMES =
  /private|preshared|public|listen|fwmark|endpoint|allowed|keepalive|update|remove|replace|version/;
const KEY = "c7".repeat(32);

const configuration: FuzzTarget = {
  name: "configuration",
  seeds: [
    `private_key=${KEY}\nlisten_port=51820\nfwmark=7\nreplace_peers=true\n`,
    `public_key=${KEY}\npreshared_key=${KEY}\nendpoint=[2001:db8::1]:51820\n` +
    `persistent_keepalive_interval=25\nreplace_allowed_ips=true\nallowed_ip=10.0.0.0/8\n`,
    `public_key=${KEY}\nallowed_ip=-::/0\nprotocol_version=1\nupdate_only=true\nremove=true\n`,
  ].map(utf8),
  run(input) {
    const store = new KeyStore();
    try {
      const request = parseSet(input, store);
      const { peers, identity, ...device } = readConfig(request.config);
      for (const peer of peers) assert.equal(peer.publicKey.length, 32);
      const kinds = new Set(peers.flatMap((peer) => Object.keys(peer)));
      return [identity?.kind, ...Object.keys(device), Math.min(3, peers.length), ...kinds].join(
        " ",
      );
    } catch (error) {
      if (!(error instanceof TunnelConfigError)) throw error;
      assert.ok(error.message.length < 400, "a message is bounded");
      return `${error.code} ${NAMES.exec(error.message)?.[0]}`;
    } finally {
      store.close();
    }
  },
};

const addresses: FuzzTarget = {
  name: "addresses",
  seeds: [
    ...["192.0.2.1:51820", "[2001:db8::1]:51820", "[fe80::1%1]:1", "10.0.0.0/8", "::/0"],
    ...["2001:db8::/32", "::ffff:1.2.3.4", "1.2.3.4", "0.0.0.0/0", "1:2:3:4:5:6:7:8/128"],
  ].map(utf8),
  run(input) {
    const text = new TextDecoder().decode(input);
    return [addressOf(text), endpointOf(text), prefixOf(text)].join(" ");
  },
};

/** The URL standard reads the addresses in URLs by the same grammar, and writes them by RFC 5952. */
function addressOf(text: string): string {
  const bytes = parseAddress(text);
  if (bytes === undefined) {
    assert.ok(!/^(\d|[1-9]\d)(\.(\d|[1-9]\d)){3}$/.test(text), `"${text}" is an IPv4 address`);
    if (/^[0-9a-f:]+$/i.test(text)) {
      assert.ok(!URL.canParse(`http://[${text}]/`), `"${text}" is an IPv6 address`);
    }
    return "no address";
  }
  const formatted = formatAddress(bytes);
  assert.deepEqual(parseAddress(formatted), bytes, `"${text}" there and back`);
  if (bytes.length === 16) {
    // A dotted tail is shown in hexadecimal by the one and may be dotted by the other.
    const { hostname } = new URL(`http://[${text}]/`);
    assert.deepEqual(parseAddress(hostname.slice(1, -1)), bytes, `"${text}" as URLs have it`);
  } else {
    assert.equal(text, formatted, "an IPv4 address has one form");
  }
  return `IPv${bytes.length === 4 ? 4 : 6}`;
}

function endpointOf(text: string): string {
  const endpoint = parseEndpoint(text);
  if (endpoint === undefined) return "no endpoint";
  const again = parseEndpoint(formatEndpoint(endpoint));
  assert.deepEqual(again?.words, endpoint.words, `"${text}" there and back`);
  assert.ok(endpoint.port <= 65_535);
  return `endpoint ${endpoint.family}${endpoint.words[5] === 0 ? "" : " with zone"}`;
}

function prefixOf(text: string): string {
  const prefix = parsePrefix(text);
  if (prefix === undefined) return "no prefix";
  assert.deepEqual(parsePrefix(formatPrefix(prefix)), prefix, `"${text}" there and back`);
  assert.ok(prefix.length >= 0 && prefix.length <= (prefix.family === 4 ? 32 : 128));
  return `prefix ${prefix.family} ${text.includes("/") ? "with" : "without"} length`;
}

const inboundRules: FuzzTarget = {
  name: "inbound_rules",
  seeds: [
    ...["tcp/8080@10.20.0.0/16", "udp/5000-5010@10.20.0.7", "icmp@fd20::/64", "tcp/1-65535@::/0"],
    ...["tcp/80@10.20.0.1/16", "tcp/9-8@10.0.0.0/8", "icmp/8@10.0.0.0/8", "udp/65536@::1"],
  ].map(utf8),
  run(input) {
    const text = new TextDecoder().decode(input);
    const rule = parseInboundRule(text);
    if (rule === undefined) return "none";
    assert.ok(text.length <= LONGEST_INBOUND_RULE);
    const from = formatNetwork(rule.from);
    assert.deepEqual(parseNetwork(from), rule.from, "a network, with nothing behind its prefix");
    const ports = rule.protocol === "icmp" ? "" : `/${rule.ports.first}-${rule.ports.last}`;
    assert.deepEqual(parseInboundRule(`${rule.protocol}${ports}@${from}`), rule, "there and back");
    return `${rule.protocol} ${rule.from.family} ${text.includes("-")} ${text.includes("/", 5)}`;
  },
};

export const textTargets: readonly FuzzTarget[] = [configuration, addresses, inboundRules];
