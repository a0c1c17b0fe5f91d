// Before the first paint: the colours that were chosen here, else the system's. The only script that blocks.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try { return localStorage.getItem("theme"); } catch { return null; }
  };
  const apply = () => {
    const theme = chosen() ?? (dark.matches ? "dark" : "light");
    document.documentElement.dataset.bsTheme = theme;
    document.documentElement.classList.toggle("dark-mode", theme === "dark"); // what the API's documentation goes by
    document.documentElement.style.colorScheme = theme;
  };
  addEventListener("beforeprint", () => { document.documentElement.dataset.bsTheme = "light"; }); // paper is white
  addEventListener("afterprint", apply);
  dark.addEventListener("change", apply);
  addEventListener("storage", apply);
  addEventListener("theme", apply);
  apply();
})();
