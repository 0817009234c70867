import assert from "node:assert/strict";
import { describePacket, parseCapture } from "./packet.ts";

Deno.test("a capture is read up to its last whole record", () => {
  const file = capture([ipv4Udp(), arp(), ipv6Udp("2001:db8::1", "fe80::9")]);
  const packets = parseCapture(file);
  assert.deepEqual(packets.map(describePacket), [
    "udp 192.0.2.1#1000 > 198.51.100.7#53 44 bytes",
    "neighbour 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff 42 bytes",
    "udp 2001:db8::1#1000 > fe80::9#53 64 bytes",
  ]);
  assert.deepEqual(packets.map((packet) => packet.at), [1000.5, 2000.5, 3000.5]);
  assert.deepEqual([...packets[0]?.payload ?? []], [1, 2]);
  let whole = 3;
  for (let length = file.length - 1; length >= 0; length--) {
    const count = parseCapture(file.subarray(0, length)).length;
    assert.ok(count === whole || count === whole - 1, `${count} records in ${length} bytes`);
    whole = count;
  }
  assert.equal(whole, 0);
  assert.throws(() => parseCapture(new Uint8Array(24)), /not a nanosecond pcap/);
});

Deno.test("IPv6 addresses are written as RFC 5952 says", () => {
  const texts = ["::", "::1", "2001:db8::", "2001:db8:0:1:1:1:1:1", "1:0:0:2::3", "fd99::2"];
  const read = texts.map((text) => parseCapture(capture([ipv6Udp(text, "::")]))[0]?.source);
  assert.deepEqual(read, texts);
});

Deno.test("what a host says to its own link is no traffic, also behind hop-by-hop options", () => {
  const solicitation = ipv6(58, "fe80::1", "ff02::1", [135, 0]);
  const report = ipv6(0, "::", "ff02::16", [58, 0, 5, 2, 0, 0, 1, 0, 143, 0]);
  const echo = ipv6(58, "fe80::1", "fe80::2", [128, 0]);
  const kinds = parseCapture(capture([solicitation, report, echo])).map((packet) => packet.kind);
  assert.deepEqual(kinds, ["neighbour", "neighbour", "icmp"]);
});

function capture(frames: readonly number[][]): Uint8Array {
  const header = new Uint8Array(24);
  const view = new DataView(header.buffer);
  view.setUint32(0, 0xa1b23c4d, true);
  view.setUint32(20, 1, true);
  const records = frames.flatMap((frame, i) => {
    const record = new Uint8Array(16);
    const fields = new DataView(record.buffer);
    [i + 1, 500_000, frame.length, frame.length].forEach((value, at) =>
      fields.setUint32(at * 4, value, true)
    );
    return [...record, ...frame];
  });
  return Uint8Array.from([...header, ...records]);
}

const MACS = [...Array<number>(6).fill(0xff), 2, 0, 0, 0, 0, 1];
const UDP = [1000 >> 8, 1000 & 255, 0, 53, 0, 10, 0, 0, 1, 2];

function arp(): number[] {
  return [...MACS, 8, 6, ...Array<number>(28).fill(0)];
}

function ipv4Udp(): number[] {
  const header = [0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7];
  return [...MACS, 8, 0, ...header, ...UDP];
}

function ipv6Udp(source: string, destination: string): number[] {
  return ipv6(17, source, destination, UDP);
}

function ipv6(next: number, source: string, destination: string, rest: number[]): number[] {
  const header = [0x60, 0, 0, 0, 0, rest.length, next, 64];
  return [...MACS, 0x86, 0xdd, ...header, ...bytesOf(source), ...bytesOf(destination), ...rest];
}

function bytesOf(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const groups = (text: string) => text === "" ? [] : text.split(":").map((g) => parseInt(g, 16));
  const left = groups(head);
  const right = groups(tail ?? "");
  const middle = Array<number>(8 - left.length - right.length).fill(0);
  return [...left, ...middle, ...right].flatMap((group) => [group >> 8, group & 255]);
}
