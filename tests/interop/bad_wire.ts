/**
 * A relay that is a bad wire, run inside a machine: `PORT ADDRESS:PORT`. Every datagram goes
 * through once as it is, once more, once cut short, once with a bit turned, with garbage between,
 * and once again 300 ms later.
 */
const [port = "", target = ""] = Deno.args;
const [hostname = "", targetPort = ""] = target.split(":");
const far: Deno.NetAddr = { transport: "udp", hostname, port: Number(targetPort) };
const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: Number(port) });
let near: Deno.NetAddr | undefined;
/** Datagrams that came, in either direction. */
const came = { forth: 0, back: 0 };

for await (const [bytes, address] of socket) {
  const from = address as Deno.NetAddr;
  const back = from.hostname === far.hostname && from.port === far.port;
  if (!back) near = from;
  const to = back ? near : far;
  if (to === undefined) continue;
  const turned = bytes.slice();
  const at = crypto.getRandomValues(new Uint16Array(1))[0] ?? 0;
  turned[at % turned.length] = (turned[at % turned.length] ?? 0) ^ 4;
  const garbage = crypto.getRandomValues(new Uint8Array(1 + at % 1400));
  // Each type in turn, so that a test can count on all of them.
  garbage[0] = 1 + came[back ? "back" : "forth"]++ % 4;
  garbage.fill(0, 1, 4);
  for (const datagram of [turned, bytes, bytes, bytes.subarray(0, at % bytes.length), garbage]) {
    void socket.send(datagram, to).catch(() => {});
  }
  const copy = bytes.slice();
  setTimeout(() => void socket.send(copy, to).catch(() => {}), 300);
}
