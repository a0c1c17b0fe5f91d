// A card beside the page's content that ends where the window does: says where it begins, and whether it goes on below.

export function inView(card) {
  const side = card.parentElement;
  const look = () => {
    side.style.setProperty("--begins", `${Math.round(side.getBoundingClientRect().top)}px`);
    const body = card.querySelector(".card-body");
    card.toggleAttribute("data-more", Boolean(body) && body.scrollHeight - body.clientHeight - body.scrollTop > 4);
  };
  let asked = false;
  const soon = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      look();
    });
  };
  document.addEventListener("scroll", soon, { capture: true, passive: true });
  document.addEventListener("toggle", soon, { capture: true });
  document.body.addEventListener("htmx:after:swap", soon);
  const sizes = new ResizeObserver(soon);
  sizes.observe(card);
  sizes.observe(document.body);
  look();
}
