# Draws what bench_scaling measured. Set: data, picture, cpus.
set terminal pngcairo size 1200,900 font "sans,13"
set output picture
set grid
set key top left
set ylabel "images/s"
all_title = sprintf("%d threads", cpus)
set title font "sans,12"
set multiplot layout 2,2 title "Reconstructor, training step: zoom, forward, backward, Adam" font "sans,16"

set logscale xy 2
set format y "%.0f"
set title "batch size, of 28 x 28 pixels, channels 16-32-32-16"
set xlabel "images in a batch"
plot for [s in "one all"] data index "batch ".s using 1:2 with linespoints pt 7 lw 2 \
  title (s eq "one" ? "1 thread" : all_title)

set key top right
set title "image size, batch 32, channels 16-32-32-16"
set xlabel "height and width, pixels"
plot for [s in "one all"] data index "size ".s using 1:2 with linespoints pt 7 lw 2 \
  title (s eq "one" ? "1 thread" : all_title)

set title "channels, batch 32, 28 x 28 pixels"
set xlabel "channels of each hidden layer"
plot for [s in "one all"] data index "channels ".s using 1:2 with linespoints pt 7 lw 2 \
  title (s eq "one" ? "1 thread" : all_title)

unset logscale
set key bottom right
set title "threads, batch 128, 28 x 28 pixels, channels 16-32-32-16"
set xlabel "threads"
set xtics 1
set xrange [0.5:cpus + 0.5]
set yrange [0:*]
stats data index "threads" using (column(1) == 1 ? column(2) : NaN) name "one" nooutput
plot data index "threads" using 1:2 with linespoints pt 7 lw 2 title "measured", \
  one_max * x with lines dt 2 lc "gray40" title "1 thread times threads"
unset multiplot
