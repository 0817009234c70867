/** UDP datagrams of 64 bytes, sent faster than either can: packets a second delivered. */
import { compareWires, readSettings } from "./lib/compare.ts";
import { udpDelivered } from "./lib/udp.ts";

const settings = readSettings({ pairs: 7, seconds: 4 });
await compareWires(
  [{ name: "UDP 64 B, delivered", unit: "packets/s", goal: { atLeast: 1.5 } }],
  settings,
  async (wire) => {
    const { packets, seconds, more } = await udpDelivered(wire, { ...settings, size: 64 });
    return { value: packets / seconds, more };
  },
);
