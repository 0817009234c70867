/** UDP datagrams of 1372 bytes, sent faster than either can: megabits a second delivered. */
import { compareWires, readSettings } from "./lib/compare.ts";
import { udpDelivered } from "./lib/udp.ts";

const settings = readSettings({ pairs: 7, seconds: 4 });
await compareWires(
  [{ name: "UDP 1372 B, delivered", unit: "Mbit/s", goal: { atLeast: 1.5 } }],
  settings,
  async (wire) => {
    const { bytes, seconds, more } = await udpDelivered(wire, { ...settings, size: 1372 });
    return { value: bytes * 8 / seconds / 1e6, more };
  },
);
