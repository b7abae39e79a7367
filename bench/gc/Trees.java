/** GCBench and binary-trees for Java: the same work as programs.cpp, for reference. Usage: Trees NAME SIZE. */
final class Trees {
    static final class Node {
        Node left;
        Node right;
    }

    static Node bottomUp(int depth) {
        Node node = new Node();
        if (depth > 0) {
            node.left = bottomUp(depth - 1);
            node.right = bottomUp(depth - 1);
        }
        return node;
    }

    static void topDown(int depth, Node node) {
        if (depth > 0) {
            node.left = new Node();
            node.right = new Node();
            topDown(depth - 1, node.left);
            topDown(depth - 1, node.right);
        }
    }

    static long count(Node node) {
        return node == null ? 0 : 1 + count(node.left) + count(node.right);
    }

    static long size(int depth) {
        return (1L << (depth + 1)) - 1;
    }

    static long gcbench(int depth) {
        bottomUp(depth);
        Node kept = new Node();
        topDown(depth - 2, kept);
        double[] array = new double[1 << (depth + 1)];
        long made = 0;
        for (int small = 4; small <= depth - 2; small += 2) {
            long rounds = 2 * size(depth) / size(small);
            for (long round = 0; round < rounds; ++round) {
                topDown(small, new Node());
                bottomUp(small);
                made += 2 * size(small);
            }
        }
        return made + count(kept) + array.length;
    }

    static long binaryTrees(int depth) {
        long sum = count(bottomUp(depth + 1));
        Node kept = bottomUp(depth);
        for (int small = 4; small <= depth; small += 4) {
            for (int round = 0; round < 1 << (depth - small + 4); ++round) {
                sum += count(bottomUp(small));
            }
        }
        return sum + count(kept);
    }

    public static void main(String[] words) {
        int size = Integer.parseInt(words[1]);
        long begin = System.nanoTime();
        long sum = words[0].equals("gcbench") ? gcbench(size) : binaryTrees(size);
        System.out.printf("%.6f\t%d\t0\t0\t0\t0%n", (System.nanoTime() - begin) * 1e-9, sum);
    }
}
