/** Removes what was left behind of an interface, and says whether there was something. */
import { KernelDevice } from "../../../tunnel/kernel/kernel_device.ts";

console.log(KernelDevice.removeLeftover(Deno.args[0] ?? ""));
