/** TCP, 4 streams: megabits a second that arrive. `deno run -A bench/tcp_4_streams.ts [--pairs N] [--seconds N]` */
import { compareTcp } from "./lib/tcp.ts";

await compareTcp({ name: "TCP, 4 streams", unit: "Mbit/s", goal: { atLeast: 1.3 } }, 4);
