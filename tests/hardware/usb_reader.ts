/**
 * A USB reader that QEMU emulates, in hand: plugged into the guest's port and pulled out of it, by
 * QEMU's monitor, with one slot for a card of ours.
 */
import type { Monitor } from "./monitor.ts";
import { UsbSlot } from "./usb_card.ts";

export class UsbReader {
  readonly slot: UsbSlot;
  readonly #monitor: Monitor;
  readonly #name: string;

  private constructor(parts: { slot: UsbSlot; monitor: Monitor; name: string }) {
    ({ slot: this.slot, monitor: this.#monitor, name: this.#name } = parts);
  }

  /** What QEMU must be started with for this reader, whose slot's socket is in `folder`. */
  static words(folder: string, name: string): string[] {
    return ["-chardev", `socket,id=${name}-card,path=${folder}/${name},server=on,wait=off`];
  }

  /** Outside the port. */
  static async open(
    monitor: Monitor,
    { folder, name }: { folder: string; name: string },
  ): Promise<UsbReader> {
    return new UsbReader({ slot: await UsbSlot.open(`${folder}/${name}`), monitor, name });
  }

  async plug(): Promise<void> {
    const name = this.#name;
    await this.#monitor.do("device_add", { driver: "usb-ccid", id: name, bus: "usb.0" });
    const slot = { id: `${name}-slot`, chardev: `${name}-card`, bus: `${name}.0` };
    await this.#monitor.do("device_add", { driver: "ccid-card-passthru", ...slot });
  }

  /** The card that was in it is in nobody's reader then. */
  async unplug(): Promise<void> {
    this.slot.unplugged();
    await this.#monitor.unplug(this.#name);
  }
}
