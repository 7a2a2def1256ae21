import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import java.util.TreeSet;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.Label;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Opcodes;
import org.teavm.diagnostics.Problem;
import org.teavm.tooling.ConsoleTeaVMToolLog;
import org.teavm.tooling.EmptyTeaVMToolLog;
import org.teavm.tooling.TeaVMProblemRenderer;
import org.teavm.tooling.TeaVMTargetType;
import org.teavm.tooling.TeaVMTool;
import org.teavm.vm.TeaVMOptimizationLevel;

/**
 * Translates the classes of an app to C. usage: Builder TOOLCHAIN WORK MAIN APP_CLASSES [LIBRARY_JAR...]
 * MAIN is the main classes with commas between them, the one that serves first, or - to have the only one found.
 * Leaves WORK/c, and WORK/main with the name of the first.
 */
public final class Builder {
    private static final long LEAST_HEAP_MB = 4;
    private static final int MOST_HEAP_MB = 1024;

    private Builder() {
    }

    public static void main(String[] words) throws Exception {
        Path toolchain = Path.of(words[0]);
        Path work = Path.of(words[1]);
        List<Path> app = new ArrayList<>();
        for (int i = 3; i < words.length; i++) {
            app.add(Path.of(words[i]));
        }
        List<String> mains = words[2].equals("-") ? List.of(findMain(app.get(0))) : List.of(words[2].split(","));
        Files.writeString(work.resolve("main"), mains.get(0));
        Path made = Files.createDirectories(work.resolve("made"));
        writeStart(made, mains);
        List<Path> all = new ArrayList<>(List.of(made, toolchain.resolve("library")));
        all.addAll(app);
        translate(all, work.resolve("c"));
        try (Stream<Path> sources = Files.list(toolchain.resolve("native"))) {
            for (Path source : sources.sorted().toList()) {
                Files.write(work.resolve("c").resolve(source.getFileName()), Files.readAllBytes(source));
            }
        }
    }

    private static void translate(List<Path> classPath, Path out) throws Exception {
        TeaVMTool tool = new TeaVMTool();
        tool.setTargetType(TeaVMTargetType.C);
        tool.setMainClass("virga.Host");
        tool.setEntryPointName("teavm_main");
        tool.setClassLoader(new AppFirst(classPath));
        tool.setTargetDirectory(out.toFile());
        tool.setTargetFileName("");
        tool.setOptimizationLevel(TeaVMOptimizationLevel.ADVANCED);
        tool.setObfuscated(false);
        tool.setDebugInformationGenerated(true);
        tool.setShortFileNames(true);
        tool.setMinHeapSize((int) (LEAST_HEAP_MB << 20));
        tool.setMaxHeapSize(MOST_HEAP_MB << 20);
        tool.setLog(new EmptyTeaVMToolLog());
        tool.generate();
        List<Problem> problems = tool.getProblemProvider().getSevereProblems();
        if (!problems.isEmpty()) {
            var calls = tool.getDependencyInfo().getCallGraph();
            TeaVMProblemRenderer.describeProblems(calls, tool.getProblemProvider(), new ConsoleTeaVMToolLog(false));
            System.exit(3);
        }
    }

    /** The one class of the app that has a main. */
    private static String findMain(Path classes) throws IOException {
        TreeSet<String> found = new TreeSet<>();
        if (Files.isDirectory(classes)) {
            try (Stream<Path> files = Files.walk(classes)) {
                for (Path file : files.filter(path -> path.toString().endsWith(".class")).toList()) {
                    if (hasMain(Files.readAllBytes(file))) {
                        String name = classes.relativize(file).toString();
                        found.add(name.substring(0, name.length() - ".class".length()).replace(File.separatorChar, '.'));
                    }
                }
            }
        } else {
            try (JarFile jar = new JarFile(classes.toFile())) {
                String named = jar.getManifest() == null ? null : jar.getManifest().getMainAttributes().getValue("Main-Class");
                if (named != null) {
                    return named.trim();
                }
                for (var entry : Collections.list(jar.entries())) {
                    if (entry.getName().endsWith(".class") && !entry.getName().startsWith("META-INF/")) {
                        try (InputStream in = jar.getInputStream(entry)) {
                            if (hasMain(in.readAllBytes())) {
                                found.add(entry.getName().substring(0, entry.getName().length() - ".class".length()).replace('/', '.'));
                            }
                        }
                    }
                }
            }
        }
        if (found.size() != 1) {
            System.err.println(found.isEmpty()
                ? "no class of the app has a 'public static void main(String[])'"
                : "the app has several classes with a main (" + String.join(", ", found) + "); name one in a Procfile: web: java "
                    + found.first());
            System.exit(2);
        }
        return found.first();
    }

    private static boolean hasMain(byte[] bytes) {
        boolean[] found = new boolean[1];
        new ClassReader(bytes).accept(new ClassVisitor(Opcodes.ASM9) {
            @Override
            public MethodVisitor visitMethod(int access, String name, String descriptor, String signature, String[] thrown) {
                int wanted = Opcodes.ACC_PUBLIC | Opcodes.ACC_STATIC;
                found[0] |= name.equals("main") && descriptor.equals("([Ljava/lang/String;)V") && (access & wanted) == wanted;
                return null;
            }
        }, ClassReader.SKIP_CODE | ClassReader.SKIP_DEBUG);
        return found[0];
    }

    /** The class that stands between the edge and the app's main classes. */
    private static void writeStart(Path into, List<String> mains) throws IOException {
        ClassWriter out = new ClassWriter(ClassWriter.COMPUTE_MAXS);
        // A version whose code needs no stack map frames.
        out.visit(Opcodes.V1_6, Opcodes.ACC_PUBLIC | Opcodes.ACC_FINAL, "virga/Start", null, "java/lang/Object", null);
        String descriptor = "(Ljava/lang/String;[Ljava/lang/String;)V";
        MethodVisitor code = out.visitMethod(Opcodes.ACC_PUBLIC | Opcodes.ACC_STATIC, "main", descriptor, null, null);
        code.visitCode();
        Label serves = new Label();
        code.visitVarInsn(Opcodes.ALOAD, 0);
        code.visitJumpInsn(Opcodes.IFNULL, serves);
        for (String main : mains) {
            Label next = new Label();
            code.visitLdcInsn(main);
            code.visitVarInsn(Opcodes.ALOAD, 0);
            code.visitMethodInsn(Opcodes.INVOKEVIRTUAL, "java/lang/String", "equals", "(Ljava/lang/Object;)Z", false);
            code.visitJumpInsn(Opcodes.IFEQ, next);
            call(code, main);
            code.visitLabel(next);
        }
        code.visitTypeInsn(Opcodes.NEW, "java/lang/ClassNotFoundException");
        code.visitInsn(Opcodes.DUP);
        code.visitVarInsn(Opcodes.ALOAD, 0);
        code.visitLdcInsn(" (a command can name " + String.join(", ", mains) + "; name others in the Procfile, so that they are built in)");
        code.visitMethodInsn(Opcodes.INVOKEVIRTUAL, "java/lang/String", "concat", "(Ljava/lang/String;)Ljava/lang/String;", false);
        code.visitMethodInsn(Opcodes.INVOKESPECIAL, "java/lang/ClassNotFoundException", "<init>", "(Ljava/lang/String;)V", false);
        code.visitInsn(Opcodes.ATHROW);
        code.visitLabel(serves);
        call(code, mains.get(0));
        code.visitMaxs(0, 0);
        code.visitEnd();
        out.visitEnd();
        Files.createDirectories(into.resolve("virga"));
        Files.write(into.resolve("virga/Start.class"), out.toByteArray());
    }

    private static void call(MethodVisitor code, String main) {
        code.visitVarInsn(Opcodes.ALOAD, 1);
        code.visitMethodInsn(Opcodes.INVOKESTATIC, main.replace('.', '/'), "main", "([Ljava/lang/String;)V", false);
        code.visitInsn(Opcodes.RETURN);
    }

    /** Looks into the app and our library before the JDK and the translator's own class library. */
    private static final class AppFirst extends URLClassLoader {
        AppFirst(List<Path> paths) throws IOException {
            super(urls(paths), Builder.class.getClassLoader());
        }

        private static URL[] urls(List<Path> paths) throws IOException {
            URL[] urls = new URL[paths.size()];
            for (int i = 0; i < urls.length; i++) {
                urls[i] = paths.get(i).toUri().toURL();
            }
            return urls;
        }

        @Override
        public URL getResource(String name) {
            URL own = findResource(name);
            return own != null ? own : super.getResource(name);
        }

        @Override
        public Enumeration<URL> getResources(String name) throws IOException {
            List<URL> all = new ArrayList<>(Collections.list(findResources(name)));
            for (URL url : Collections.list(getParent().getResources(name))) {
                all.add(url);
            }
            return Collections.enumeration(all);
        }
    }
}
