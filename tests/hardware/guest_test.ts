/**
 * What plugging and pulling does, on a Debian kernel in a guest whose USB hardware QEMU emulates.
 * Slow: see tests/interop/kernel_guest_test.ts for how it is asked for.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type Guest, guestTest } from "../interop/kernel/guest_case.ts";
import { sleep } from "../lab/machine.ts";
import { PIV_INS } from "../../token/piv/constants.ts";
import { cacheFolder } from "../interop/kernel/cache.ts";
import { lendHands } from "./hands.ts";
import { Monitor } from "./monitor.ts";
import { usbCard } from "./usb_card.ts";
import { UsbReader } from "./usb_reader.ts";

const USB = ["xhci_pci", "usb_storage", "uas", "sd_mod", "vfat", "nls_cp437", "nls_ascii"];
const UDEV = `${cacheFolder()}/root/bin/udevadm`;
const STICK_BYTES = 256 << 20;
/** A guard against hanging: QEMU opens its sockets at once. */
const START_MS = 30_000;

type Deeds = Readonly<Record<string, () => Promise<void>>>;

for (const user of ["computer", "gateway"]) {
  guestTest(`a USB stick in a guest's port, and a ${user} that uses it`, async (guest) => {
    const sticks = ["stick", "other stick"].map((name, index) => {
      const image = `${guest.folder}/stick-${index}.img`;
      return { name, image, node: `image-${index}`, id: `stick-${index}` };
    });
    for (const { image } of sticks) {
      await Deno.writeFile(image, new Uint8Array());
      await Deno.truncate(image, STICK_BYTES);
    }
    await tryHardware(guest, "stick_test.ts", {
      filter: `a ${user}`,
      words: [],
      async deeds(monitor) {
        const deeds: [string, () => Promise<void>][] = [];
        for (const { name, image, node, id } of sticks) {
          const file = { driver: "file", filename: image };
          await monitor.do("blockdev-add", { "node-name": node, driver: "raw", file });
          const stick = { driver: "usb-storage", id, drive: node, bus: "usb.0" };
          deeds.push([`plug ${name}`, () => monitor.do("device_add", stick)]);
          deeds.push([`pull ${name}`, () => monitor.unplug(id)]);
        }
        return Object.fromEntries(deeds);
      },
    });
  });
}

guestTest("a USB reader in a guest: card and reader plugged and pulled", async (guest) => {
  await tryHardware(guest, "reader_test.ts", {
    words: readers(guest, "reader"),
    async deeds(monitor) {
      const reader = await UsbReader.open(monitor, { folder: guest.folder, name: "reader" });
      const { slot } = reader;
      const card = usbCard(11_111_111);
      return {
        "plug": () => reader.plug(),
        "unplug": () => reader.unplug(),
        "insert": () => slot.insert(card),
        "pull": () => slot.pull(),
        "unplug within VERIFY": () =>
          Promise.resolve(slot.trap(PIV_INS.verify, () => reader.unplug())),
      };
    },
  });
});

guestTest(
  "two USB readers in a guest, and a session that goes from one to the other",
  async (guest) => {
    await tryHardware(guest, "two_readers_test.ts", {
      words: readers(guest, "first", "second"),
      async deeds(monitor) {
        const { folder } = guest;
        const first = await UsbReader.open(monitor, { folder, name: "first" });
        const second = await UsbReader.open(monitor, { folder, name: "second" });
        const alice = usbCard(11_111_111);
        const bob = usbCard(22_222_222);
        return {
          "plug the first": () => first.plug(),
          "unplug the first": () => first.unplug(),
          "plug the second": () => second.plug(),
          "insert Alice into the first": () => first.slot.insert(alice),
          "insert Bob into the first": () => first.slot.insert(bob),
          "insert Bob into the second": () => second.slot.insert(bob),
          "pull from the first": () => first.slot.pull(),
          "pull from the second": () => second.slot.pull(),
        };
      },
    });
  },
);

guestTest("a guest that sleeps, with the card left or swapped", async (guest) => {
  await tryHardware(guest, "sleep_test.ts", {
    words: readers(guest, "reader"),
    apart: true,
    async deeds(monitor) {
      const reader = await UsbReader.open(monitor, { folder: guest.folder, name: "reader" });
      const { slot } = reader;
      const alice = usbCard(11_111_111);
      const bob = usbCard(22_222_222);
      const whenAsleep = (deed: () => Promise<void>) => {
        void monitor.event("SUSPEND").then(deed);
        return Promise.resolve();
      };
      return {
        "plug": () => reader.plug(),
        "insert Alice": () => slot.insert(alice),
        "insert Bob": () => slot.insert(bob),
        "pull": () => slot.pull(),
        "lose power when asleep": () => whenAsleep(() => Promise.resolve(slot.losePower())),
        "swap for Bob when asleep": () =>
          whenAsleep(async () => {
            await slot.pull();
            await slot.insert(bob);
          }),
      };
    },
  });
});

function readers({ folder }: Guest, ...names: string[]): string[] {
  return names.flatMap((name) => UsbReader.words(folder, name));
}

/** Runs a test file in a guest that has a USB port, beside somebody who does these deeds. */
async function tryHardware(
  guest: Guest,
  file: string,
  { words, deeds, filter = "", apart = false }: {
    /** Tests whose names have these words; default: all. */
    filter?: string;
    words: readonly string[];
    /** The guest will sleep. */
    apart?: boolean;
    deeds: (monitor: Monitor) => Promise<Deeds>;
  },
): Promise<void> {
  const sockets = { monitor: `${guest.folder}/monitor`, hands: `${guest.folder}/hands` };
  const path = fileURLToPath(import.meta.resolve(`./${file}`));
  const ended = guest.deno(`test -A --no-check --cached-only --filter "${filter}" ${path}`, {
    before: `export SEKISHO_HANDS=/dev/ttyS1 SEKISHO_UDEV=${UDEV}`,
    ...(apart ? { apart: [UDEV] } : {}),
    hardware: {
      modules: USB,
      words: [
        ...["-chardev", `socket,id=hands,path=${sockets.hands},server=on,wait=off`],
        ...["-serial", "chardev:hands", "-device", "qemu-xhci,id=usb"],
        ...["-qmp", `unix:${sockets.monitor},server=on,wait=off`, ...words],
      ],
    },
  });
  const helped = help();
  // Both to their ends, so that no guest stays; one that ended too early says why.
  const [outcome] = await Promise.allSettled([helped, ended]);
  const output = await ended;
  if (outcome.status === "rejected") throw outcome.reason;
  console.log(output.split("\n").filter((line) => / \.\.\. | ms\b/.test(line)).join("\n"));
  assert.match(output, /[1-9]\d* passed/);

  async function help(): Promise<void> {
    const port = await connect(sockets.hands);
    const monitor = await Monitor.open(await whenThere(sockets.monitor));
    try {
      await lendHands(port, await deeds(monitor));
    } finally {
      await monitor.close();
    }
  }
}

async function connect(path: string): Promise<Deno.UnixConn> {
  return await Deno.connect({ transport: "unix", path: await whenThere(path) });
}

async function whenThere(path: string): Promise<string> {
  for (const end = Date.now() + START_MS; Date.now() < end; await sleep(50)) {
    if (await Deno.stat(path).then(() => true, () => false)) return path;
  }
  throw new Error(`Cannot reach the guest: ${path} does not appear`);
}
