// What is asked for while it is being done is done once more, after it: never twice at a time, never in a queue. That it
// failed, as when the page is left meanwhile, is no error of the page.

export function onceAtATime(act) {
  let running = null;
  let again = false;
  return () => {
    again = true;
    running ??= (async () => {
      while (again) {
        again = false;
        try { await act(); } catch (error) { console.warn("Not done:", error); }
      }
    })().finally(() => {
      running = null;
    });
    return running;
  };
}
