// What the rows of a drawing are called, beside it: in sight where it has been scrolled beyond the names in it.

export function named(element, stage, names, down) {
  let place = element.querySelector(":scope > .cs-graph-rows");
  if (!place && !names.length) return;
  if (!place) {
    place = document.createElement("div");
    place.className = "cs-graph-rows";
    place.ariaHidden = "true"; // the table says it
    element.append(place);
  }
  place.style.left = `${stage.offsetLeft}px`;
  place.style.top = `${stage.offsetTop}px`;
  place.replaceChildren(
    ...names.map(([y, words]) => {
      const name = document.createElement("span");
      name.textContent = words;
      name.style.top = `${down(y)}px`;
      return name;
    }),
  );
}
