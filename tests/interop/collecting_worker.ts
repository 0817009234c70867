/** The tunnel's worker, with the collector in its way. */
import "./collect_often.ts";
import "../../tunnel/dataplane/worker.ts";
