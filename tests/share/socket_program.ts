/** A program at a terminal: takes a lease over a socket, sends commands, prints all that is said. */
const [url = "", ...commands] = Deno.args;
const socket = new WebSocket(url);
let unanswered = 0;
const ask = (apdu: string) => {
  unanswered++;
  socket.send(JSON.stringify({ type: "command", apdu }));
};
const next = () => {
  const apdu = commands.shift();
  if (apdu === undefined) return;
  ask(apdu);
  // More at once are too many: the answer to those that overtake the card is a fault.
  if (commands.length > 0) return;
  for (let n = 0; n < 50; n++) ask(apdu);
};
socket.onmessage = ({ data }) => {
  console.log(data);
  const message = JSON.parse(data);
  if (message.type === "lease" && message.lease.state === "granted") next();
  if (message.type === "response" || message.type === "fault") unanswered--;
  if (message.type === "response") next();
  if (message.type !== "lease" && unanswered === 0) socket.close();
};
socket.onerror = (event) => {
  console.log(JSON.stringify({ type: "error", why: (event as ErrorEvent).message }));
};
await new Promise((resolve) => socket.onclose = resolve);
Deno.exit(0);
