// Shows the login form as soon as the session of this browser has ended.
//
// One tab holds a stream of events and tells the others: over HTTP/1.1 a browser opens six connections
// to a site, and a stream in every tab would use them up. The lock says which tab it is. A tab that
// nobody sees holds none. Where there are no locks (plain HTTP, but for localhost), each tab that is
// seen has a stream of its own.

const RETRY_MS = 5_000;
const tabs = new BroadcastChannel("devices");
let leaving = false;
let stop = null;

// The server decides what is seen: the login form, or the devices of whoever is logged in now.
function leave() {
  if (!leaving) {
    leaving = true;
    stop?.();
    location.replace("/devices");
  }
}

function leaveEverywhere() {
  tabs.postMessage("ended");
  leave();
}

// Holds a stream until the signal.
function follow(signal) {
  const events = new EventSource("/devices/live");
  signal.addEventListener("abort", () => events.close());
  events.addEventListener("revoked", leaveEverywhere);
  events.addEventListener("error", async () => {
    if (events.readyState !== EventSource.CLOSED || signal.aborted) {
      return;
    }
    // It was refused: there is no session any more, or the server is in trouble.
    const asked = fetch("/devices", { headers: { accept: "application/json" } });
    const answer = await asked.catch(() => null);
    if (answer?.status === 401) {
      leaveEverywhere();
    } else {
      setTimeout(() => signal.aborted || follow(signal), RETRY_MS);
    }
  });
}

function start() {
  if (stop || leaving || document.hidden) {
    return;
  }
  const control = new AbortController();
  const { signal } = control;
  stop = () => {
    stop = null;
    control.abort();
  };
  const held = () =>
    new Promise((release) => {
      signal.addEventListener("abort", release);
      follow(signal);
    });
  if (navigator.locks) {
    // Fails if this tab is hidden before its turn comes.
    navigator.locks.request("devices", { signal }, held).catch(() => {});
  } else {
    held();
  }
}

tabs.addEventListener("message", leave);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stop?.();
  } else {
    start();
  }
});
// What the user does here leads where its answer says.
addEventListener("submit", () => {
  leaving = true;
  stop?.();
});
// The browser may show a page again as it was left.
addEventListener("pagehide", () => stop?.());
addEventListener("pageshow", () => {
  leaving = false;
  start();
});
start();
