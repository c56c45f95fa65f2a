// The three videos play, pause and seek together; the first one keeps the time.
const videos = [...document.querySelectorAll("video")];
const others = (but) => videos.filter((video) => video !== but);
const moved = new Set(); // seeking because another one did
const align = (from, slack) => others(from).forEach((video) => {
  if (Math.abs(video.currentTime - from.currentTime) <= slack) return;
  moved.add(video);
  video.currentTime = from.currentTime;
});
if (videos.length) {
  const [first] = videos;
  const button = document.createElement("button");
  const label = () => { button.textContent = first.paused ? "Play together" : "Pause"; };
  button.addEventListener("click", () => (first.paused ? first.play() : first.pause()));
  document.getElementById("controls").append(button);
  label();
  const follow = (from) => others(from).forEach((video) => { if (video.paused) video.play(); });
  for (const video of videos) {
    video.loop = video === first;
    video.addEventListener("play", () => { align(video, 0.1); follow(video); label(); });
    video.addEventListener("pause", () => {
      if (video.ended) return;
      others(video).forEach((other) => other.pause());
      label();
    });
    video.addEventListener("seeking", () => { if (!moved.has(video)) align(video, 0.01); });
    video.addEventListener("seeked", () => moved.delete(video));
  }
  first.addEventListener("timeupdate", () => {
    if (first.paused) return;
    align(first, 0.1);
    follow(first);
  });
}
