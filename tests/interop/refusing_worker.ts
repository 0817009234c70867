/** The tunnel's worker, on a kernel that refuses. */
import "./refuse_often.ts";
import "../../tunnel/dataplane/worker.ts";
