// What is asked for while it is being done is done once more, after it: never twice at a time, never in a queue.

export function onceAtATime(act) {
  let running = null;
  let again = false;
  return () => {
    again = true;
    running ??= (async () => {
      while (again) {
        again = false;
        await act();
      }
    })().finally(() => {
      running = null;
    });
    return running;
  };
}
