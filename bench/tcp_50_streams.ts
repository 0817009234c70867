/** TCP, 50 streams: megabits a second that arrive. `deno run -A bench/tcp_50_streams.ts [--pairs N] [--seconds N]` */
import { compareTcp } from "./lib/tcp.ts";

await compareTcp({ name: "TCP, 50 streams", unit: "Mbit/s", goal: { atLeast: 1.3 } }, 50);
