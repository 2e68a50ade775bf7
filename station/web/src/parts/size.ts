// Tells of an element's size, in a frame of its own: what it changes is not measured again in the same one.
export function watchSize(element: Element, tell: () => void): () => void {
  let asked = 0;
  const watcher = new ResizeObserver(() => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(tell);
  });
  watcher.observe(element);
  return () => {
    cancelAnimationFrame(asked);
    watcher.disconnect();
  };
}
