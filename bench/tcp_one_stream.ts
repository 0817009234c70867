/** TCP, one stream: megabits a second that arrive. `deno run -A bench/tcp_one_stream.ts [--pairs N] [--seconds N]` */
import { compareTcp } from "./lib/tcp.ts";

await compareTcp({ name: "TCP, one stream", unit: "Mbit/s", goal: { atLeast: 1.5 } }, 1);
