// The address: a place of the page or a layer, then what is chosen: #layer-0-12&baseline=1

function readAddress() {
  const [place, ...chosen] = location.hash.slice(1).split("&");
  return { place: decodeURIComponent(place), chosen: new URLSearchParams(chosen.join("&")) };
}

// Puts choices into the address, and takes those out that are null; the place stays unless another is given.
function writeAddress(choices, place = null) {
  const { place: before, chosen } = readAddress();
  for (const [name, value] of Object.entries(choices)) {
    if (value === null) chosen.delete(name); else chosen.set(name, value);
  }
  const rest = chosen.toString();
  const hash = `#${place ?? before}${rest ? `&${rest}` : ""}`;
  if (location.hash !== hash && hash !== "#") history.replaceState(null, "", hash);
}
